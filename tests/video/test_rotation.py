"""Rotation and mirroring: frames come out as displayed, judged by the matrix in the mp4 header (ISO/IEC 14496-12)."""

import shutil
import subprocess
from fractions import Fraction
from math import cos, radians, sin

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from tests.video.numbered import with_matrix
from tests.video.streams import X264, encode

ROTATED = {"upright": (1, 0, 0, 1), "90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0)}
MIRRORED = {
    "left to right": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed, 180": (0, -1, -1, 0),
}
EVERY = ROTATED | MIRRORED
ODD = {  # (a, b, c, d) -> the matrix as whose it is shown; None: refused
    "twice as large": ((-2, 0, 0, 2), (-1, 0, 0, 1)),
    "half as large, 90": ((0, 0.5, -0.5, 0), (0, 1, -1, 0)),
    "wide": ((2, 0, 0, -1), (1, 0, 0, -1)),
    "half a degree": ((cos(radians(0.5)), sin(radians(0.5)), -sin(radians(0.5)), cos(radians(0.5))), (1, 0, 0, 1)),
    "nothing": ((0, 0, 0, 0), (1, 0, 0, 1)),
    "30 degrees": ((cos(radians(30)), sin(radians(30)), -sin(radians(30)), cos(radians(30))), None),
    "sheared": ((1, 0, 0.5, 1), None),
}


def displayed(frame, a, b, c, d):
    """Move each stored pixel (x, y) to (a x + c y, b x + d y), shifted so that the picture starts at 0."""
    y, x = np.indices(frame.shape[:2])
    right, down = a * x + c * y, b * x + d * y
    right, down = right - right.min(), down - down.min()
    out = np.zeros((down.max() + 1, right.max() + 1, 3), dtype=np.uint8)
    out[down, right] = frame
    return out


def shown(path, num_frames=4, decoder="pyav"):
    video = decode(str(path), num_frames, Sampler(), decoder)
    return video.frames.permute(0, 2, 3, 1).numpy(), video.indices


@pytest.mark.parametrize("name", EVERY)
def test_the_matrix_in_the_header_is_applied(short_clip, judge, name):
    frames, indices = shown(with_matrix(short_clip, *EVERY[name]))
    stored, _ = judge(short_clip)
    for frame, i in zip(frames, indices, strict=True):
        assert np.array_equal(frame, displayed(stored[i], *EVERY[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_a_long_clip_that_is_read_by_seeking_is_turned_the_same_way(tmp_path, encode_clip, judge, name):
    path = with_matrix(encode_clip(tmp_path / "long.mp4"), *EVERY[name])
    frames, indices = shown(path, 2)
    stored, _ = judge(path)
    for frame, i in zip(frames, indices, strict=True):
        assert np.array_equal(frame, displayed(stored[i], *EVERY[name]))


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg, the judge, is not installed")
@pytest.mark.parametrize("name", EVERY)
def test_ffmpeg_shows_the_same(tmp_path, name):
    # 4:4:4: with colours at half the size a picture mirrored before its conversion to RGB may differ from one after it
    path = with_matrix(encode(tmp_path / "clip.mp4", "libx264", X264, 12, pixels="yuv444p"), *EVERY[name])
    frames, indices = shown(path)
    command = ["ffmpeg", "-v", "error", "-i", path, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    pixels = subprocess.run(command, capture_output=True, check=True).stdout
    theirs = np.frombuffer(pixels, np.uint8).reshape(-1, *frames.shape[1:])
    assert np.abs(theirs[list(indices)].astype(int) - frames).max() <= 3


@pytest.mark.parametrize("name", EVERY)
def test_decord_shows_the_same_or_refuses(tmp_path, name):
    pytest.importorskip("decord", reason="decord has no wheel for this platform")
    path = with_matrix(encode(tmp_path / "clip.mp4", "libx264", X264, 30, size=(192, 128)), *EVERY[name])
    if name in MIRRORED:
        with pytest.raises(VideoError, match=r"clip\.mp4: is displayed mirrored.*use video\.decoder=pyav$"):
            shown(path, decoder="decord")
    else:
        ours, theirs = shown(path)[0], shown(path, decoder="decord")[0]
        assert ours.shape == theirs.shape
        assert np.abs(ours.astype(int) - theirs).max() <= 3


@pytest.mark.parametrize("name", ODD)
def test_scale_is_left_out_and_other_angles_are_refused(short_clip, judge, name, decoder):
    matrix, seen_as = ODD[name]
    with_matrix(short_clip, *matrix)
    if seen_as is None:
        with pytest.raises(VideoError, match=r"short\.mp4: its display matrix \(.+\) is no quarter turn or mirror$"):
            shown(short_clip, decoder=decoder)
    elif decoder == "pyav":
        frames, indices = shown(short_clip)
        stored, _ = judge(short_clip)
        assert np.array_equal(frames[1], displayed(stored[indices[1]], *seen_as))


@pytest.fixture
def turned_by_its_codec(tmp_path):
    """H.264 whose keyframes carry a display orientation of their own; the frames between them carry none."""
    source = encode(tmp_path / "plain.mp4", "libx264", {"g": "10", "bf": "0"}, 40, size=(192, 128))
    path = tmp_path / "turned.mp4"
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        filter = BitStreamFilterContext(
            "h264_metadata=display_orientation=insert:rotate=90", old.streams.video[0], stream
        )
        for packet in old.demux(video=0):
            for changed in filter.filter(packet if packet.size else None):
                changed.stream = stream
                new.mux(changed)
    return path, source


def test_what_the_codec_says_at_keyframes_holds_until_the_next(turned_by_its_codec, judge):
    path, source = turned_by_its_codec
    frames, indices = shown(path, 8)
    stored, _ = judge(source)
    assert all(np.array_equal(frame, np.rot90(stored[i])) for frame, i in zip(frames, indices, strict=True))


def test_decord_refuses_what_the_codec_turns(turned_by_its_codec):
    pytest.importorskip("decord", reason="decord has no wheel for this platform")
    with pytest.raises(VideoError, match=r"turned by its codec; use video\.decoder=pyav$"):
        shown(turned_by_its_codec[0], decoder="decord")


def test_pixels_that_are_not_square_are_shown_as_they_are_stored(tmp_path, judge, decoder):
    path = encode(tmp_path / "wide.mp4", "libx264", {**X264, "aspect": "4:3"}, 12)
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    frames, indices = shown(path, decoder=decoder)
    stored, _ = judge(path)
    assert np.abs(frames.astype(int) - np.stack([stored[i] for i in indices])).max() <= 3
