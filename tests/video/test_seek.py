"""Seeking returns exactly what a full decode returns: every stream is judged by PyAV reading it from the start."""

import numpy as np
import pytest

from intpv.video import container as packets
from intpv.video import decode_pyav
from intpv.video.container import opened, packet_index
from intpv.video.sampling import Sampler
from intpv.video.seek import by_seek


def index_of(path):
    with opened(path, 1, None) as (container, video):
        return packet_index(path, container, video)


@pytest.mark.slow
def test_each_frame_reached_by_a_seek_of_its_own_is_the_right_one(seekable_stream):
    stream, index = seekable_stream, index_of(seekable_stream.path)
    assert len({frame.tobytes() for frame in stream.frames}) == len(stream.frames) == len(index.packets)
    for target in range(2, len(stream.frames), 9):  # 9 meets every place within groups of 4, 40 and 48
        pictures = by_seek(stream.path, index, index.plan([target]), 1, None)
        assert pictures is not None
        assert np.array_equal(pictures.images[target], stream.frames[target])
        assert pictures.seconds[target] == pytest.approx(stream.times[target], abs=1e-9)


def test_the_open_streams_have_frames_shown_before_the_keyframe_they_follow(open_stream):
    late, key = 0, 0
    for packet in index_of(open_stream.path).packets:
        key = packet.pts if packet.is_key else key
        late += packet.pts < key
    assert late > 0


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [8, 33])
def test_read_equals_a_full_decode(any_stream, num_frames):
    video = decode_pyav.read(any_stream.path, num_frames, Sampler(), 1, None)
    assert video.num_available == len(any_stream.frames)
    assert video.indices == Sampler().indices(len(any_stream.frames), num_frames)
    expected = np.stack([any_stream.frames[i] for i in video.indices])
    assert np.array_equal(video.images, expected)
    assert np.allclose(video.seconds, [any_stream.times[i] for i in video.indices], atol=1e-9)


def test_eight_frames_of_a_long_clip_are_read_by_seeking(seekable_stream, monkeypatch):
    monkeypatch.setattr(decode_pyav, "in_order", None)
    assert decode_pyav.read(seekable_stream.path, 8, Sampler(), 1, None).num_available == 700


def test_uncertain_streams_are_never_read_by_seeking(uncertain_stream):
    index = index_of(uncertain_stream.path)
    plan = index.plan([350]) if index.can_seek else None
    assert plan is None or by_seek(uncertain_stream.path, index, plan, 1, None) is None


def test_a_short_clip_is_read_in_order(judged, monkeypatch):
    monkeypatch.setattr(packets, "SHORT", 700)
    monkeypatch.setattr(decode_pyav, "by_seek", None)
    assert decode_pyav.read(judged("x264-closed").path, 8, Sampler(), 1, None).num_available == 700


def test_threads_do_not_change_the_frames(judged):
    path = judged("x264-open").path
    one, two = (decode_pyav.read(path, 8, Sampler(), threads, None) for threads in (1, 2))
    assert np.array_equal(one.images, two.images)
