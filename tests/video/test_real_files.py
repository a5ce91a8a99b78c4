"""Real files of the neighbouring folder shared/videos (see its SOURCES.md); skipped where it is not there."""

from pathlib import Path

import numpy as np
import pytest

from intpv.video import decode_pyav
from intpv.video.container import opened, packet_index
from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from intpv.video.seek import by_seek
from tests.video.verdict import verdict

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "shared" / "videos", ROOT.parent / "shared" / "videos")
TURNED = {"torchcodec_nasa_13013_rotated.mp4": 90, "decord_video_90.mov": -90}  # degrees counterclockwise
COUNTS = {  # frames of the first video stream
    "languagebind_0.mp4": 245,
    "videollava_sample_demo_1.mp4": 243,
    "videollava_sample_demo_3.mp4": 146,
    "igvlm_QzulzuWr0Zw_20_45.mp4": 376,
    "torchcodec_nasa_13013.mp4": 325,
    "torchcodec_nasa_13013_rotated.mp4": 17,
    "decord_flipping_a_pancake.mkv": 310,
    "decord_unordered.mov": 4,
    "decord_video_90.mov": 3,
}


def real(name):
    for folder in FOLDERS:
        if (folder / name).exists():
            return str(folder / name)
    pytest.skip(f"{name} is not in ../shared/videos")


@pytest.fixture(scope="module", params=COUNTS)
def file(request, judge):
    """(path, the frames of a full decode as displayed, their times)"""
    path = real(request.param)
    frames, times = judge(path)
    turns = TURNED.get(request.param, 0) // 90
    return path, [np.rot90(frame, turns) for frame in frames], times


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [8, 64])
def test_read_equals_a_full_decode(file, reader, num_frames):
    path, frames, times = file
    video = reader.read(path, num_frames)
    assert video.num_available == len(frames) == COUNTS[Path(path).name]
    for frame, second, i in zip(video.frames, video.timestamps, video.indices, strict=True):
        assert np.array_equal(frame.permute(1, 2, 0).numpy(), frames[i])
        assert second == pytest.approx(times[i], abs=1e-9)


def test_seeking_equals_a_full_decode(file):
    path, frames, _ = file
    with opened(path, 1, None) as (container, video):
        index = packet_index(path, container, video)
    for i in sorted(set(Sampler().indices(len(frames), 5))):
        pictures = by_seek(path, index, index.plan([i]), 1, None)
        assert np.array_equal(pictures.images[i], frames[i])


def test_the_second_video_stream_when_asked_for(judge):
    path = real("torchcodec_nasa_13013.mp4")
    frames, _ = judge(path, 3)
    video = decode(path, 8, Sampler(), stream=3)
    assert video.num_available == len(frames) == 390
    assert np.array_equal(video.frames[3].permute(1, 2, 0).numpy(), frames[video.indices[3]])
    with pytest.raises(VideoError, match=r"stream 1 is no video stream, these are: 0, 3"):
        decode_pyav.read(path, 8, Sampler(), 1, 1)


def test_a_file_that_fails_midway_is_refused_with_both_counts(reader):
    with pytest.raises(VideoError, match=r"corrupted\.mp4: decoded 28 of 50 frames \(.+\)$"):
        reader.read(real("decord_corrupted.mp4"), 8)


@pytest.mark.slow
def test_every_file_there_is_answered_exactly_or_refused_in_one_line(reader):
    folder = Path(real("languagebind_0.mp4")).parent
    files = [path for path in folder.iterdir() if path.suffix != ".md"]
    verdicts = {path.name: verdict(reader, str(path), TURNED.get(path.name, 0) // 90)[0] for path in files}
    assert {name for name, word in verdicts.items() if word != "answered"} == {"decord_corrupted.mp4"}
    assert verdicts["decord_corrupted.mp4"] == "refused"


@pytest.mark.parametrize("name", TURNED)
def test_decord_turns_the_picture_the_same_way(name):
    pytest.importorskip("decord", reason="decord has no wheel for this platform")
    ours, theirs = (decode(real(name), 3, Sampler(), decoder) for decoder in ("pyav", "decord"))
    assert theirs.frames.shape == ours.frames.shape
    assert (theirs.frames.int() - ours.frames.int()).abs().max() <= 3
