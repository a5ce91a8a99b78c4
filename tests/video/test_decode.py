"""Files as they are found: cut, damaged, edited, renamed; either the frames of a full decode or one clear line."""

import os
import pickle
from fractions import Fraction

import av
import numpy as np
import pytest

from intpv.errors import BadInput
from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from tests.video.streams import remux


def assert_exact(path, judge, num_frames=8):
    """The video read from `path`, and the times of all its frames by a full decode."""
    frames, times = judge(path)
    video = decode(str(path), num_frames, Sampler())
    assert video.num_available == len(frames)
    assert np.array_equal(video.frames.permute(0, 2, 3, 1).numpy(), np.stack([frames[i] for i in video.indices]))
    assert np.allclose(video.timestamps.numpy(), [times[i] for i in video.indices], atol=1e-9)
    return video, times


@pytest.mark.parametrize("name", ["x264-open", "x264-open-mkv", "x265-open", "x265-open-mkv"])
def test_a_stream_cut_before_frames_that_need_what_was_cut_off(judged, judge, tmp_path, name):
    stream = judged(name)
    with av.open(stream.path) as container:
        keys = [i for i, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    cut = remux(stream.path, tmp_path / f"cut{stream.path[-4:]}", first=keys[2])
    assert_exact(cut, judge)


@pytest.mark.parametrize("name", ["x264-closed", "x264-open", "x265-open"])
def test_an_edit_list_that_hides_the_first_second(judged, judge, tmp_path, name):
    edited = remux(judged(name).path, tmp_path / "edited.mp4", earlier=1.3, avoid_negative_ts="disabled")
    video, _ = assert_exact(edited, judge)
    assert video.num_available < 700


def test_a_fragmented_file_without_a_frame_count(judged, judge, tmp_path):
    fragmented = remux(judged("x264-open").path, tmp_path / "f.mp4", movflags="frag_keyframe+empty_moov")
    with av.open(str(fragmented)) as container:
        assert container.streams.video[0].frames == 0
    assert_exact(fragmented, judge)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_of_unequal_length(judge, encode_clip, tmp_path, suffix):
    _, times = assert_exact(encode_clip(tmp_path / f"variable.{suffix}", gap=3), judge)
    assert len(set(np.diff(times).round(3))) == 2


def test_more_frames_than_the_clip_has(short_clip, judge):
    assert_exact(short_clip, judge, num_frames=64)


def test_a_file_cut_off_is_refused_with_both_counts(short_clip):
    content = short_clip.read_bytes()
    short_clip.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(VideoError, match=r"short\.mp4: the file is cut off: \d+ of 30 frames$"):
        decode(str(short_clip), 8, Sampler())


def test_damage_in_the_middle_is_refused_with_both_counts(short_clip):
    content = bytearray(short_clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = bytes((7 * value + 13) % 256 for value in content[middle : middle + 1500])
    short_clip.write_bytes(content)
    with pytest.raises(VideoError, match=r"short\.mp4: decoded \d+ of 30 frames \(.+\)$"):
        decode(str(short_clip), 8, Sampler())


def test_a_name_that_looks_like_a_protocol(short_clip, judge, monkeypatch):
    odd = short_clip.rename(short_clip.with_name("http:clip ü.mp4"))
    monkeypatch.chdir(odd.parent)
    assert decode(odd.name, 8, Sampler()).num_available == 30


def _sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), layout="mono")
        frame.rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("gone.mp4", lambda path: None, "no such file"),
        ("x" * 300, lambda path: None, r"cannot be opened \(File name too long\)$"),
        ("folder.mp4", lambda path: path.mkdir(), "is a directory"),
        ("pipe.mp4", os.mkfifo, "is not a regular file"),
        ("empty.mp4", lambda path: path.touch(), "the file is empty"),
        ("text.mp4", lambda path: path.write_text("not a video\n" * 99), r"not a readable video \(.+\)"),
        ("list.mp4", lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"), "not a readable"),
        ("sound.mkv", _sound, "the file has no video stream"),
    ],
)
def test_what_is_no_video_gives_one_line_with_name_and_reason(tmp_path, name, make, reason):
    make(tmp_path / name)
    with pytest.raises(VideoError, match=rf"{name}: {reason}") as caught:
        decode(str(tmp_path / name), 8, Sampler())
    assert len(str(caught.value).splitlines()) == 1


def test_the_error_survives_the_way_to_another_process():
    error = VideoError("a.mp4", "no such file")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(pickle.loads(pickle.dumps(error)), BadInput)


def test_an_unknown_decoder_lists_the_known_ones():
    with pytest.raises(BadInput, match=r"one of pyav, decord, got opencv"):
        decode("a.mp4", 8, Sampler(), "opencv")
