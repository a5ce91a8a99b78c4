"""The decoding child: what it costs when it hangs or dies is one line, and the next video is read."""

import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from intpv.errors import BadInput
from intpv.preprocess.clip import Preprocess
from intpv.video import process
from intpv.video.reader import VideoError, VideoReader, decode
from intpv.video.sampling import Sampler


def child_of(reader):
    return reader.process.child.popen.pid


def test_it_returns_what_decoding_here_returns(reader, short_clip):
    here, there = decode(str(short_clip), 40, Sampler()), reader.read(short_clip, 40)
    assert np.array_equal(here.frames.numpy(), there.frames.numpy())
    assert here.timestamps.tolist() == there.timestamps.tolist()
    assert (here.indices, here.num_available, here.version) == (there.indices, there.num_available, there.version)


def test_frames_are_fitted_a_few_at_a_time_to_what_all_at_once_would_be(reader, short_clip):
    sizes, fit = [], partial(Preprocess(size=16).fit, of=40)

    def watched(frames):
        sizes.append(len(frames))
        return fit(frames)

    video = reader.read(short_clip, 40, fit=watched)
    assert np.array_equal(video.frames.numpy(), fit(decode(str(short_clip), 40, Sampler()).frames).numpy())
    assert max(sizes) <= 8
    assert sum(sizes) == len(set(video.indices))  # a frame that is shown twice is fitted once


def test_a_video_that_takes_too_long_is_given_up_and_the_next_one_is_read(short_clip):
    reader = VideoReader(timeout_s=1)
    reader.read(short_clip, 8)
    first = child_of(reader)
    os.kill(first, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(VideoError, match=r"short\.mp4: not decoded within video\.timeout_s=1 s$"):
        reader.read(short_clip, 8)
    assert 1 <= time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert reader.read(short_clip, 8).num_available == 30
    assert child_of(reader) != first


def test_a_decoder_that_is_merely_slow_is_given_up_too(judged):
    with pytest.raises(VideoError, match=r"not decoded within video\.timeout_s=0\.001 s$"):
        VideoReader(timeout_s=0.001).read(judged("x264-closed").path, 64)


@pytest.mark.parametrize("signals", [(signal.SIGKILL,), (signal.SIGSEGV, signal.SIGCONT)])
def test_a_crash_is_one_line_that_names_the_signal(short_clip, signals):
    reader = VideoReader()
    reader.read(short_clip, 8)
    pid = child_of(reader)
    os.kill(pid, signal.SIGSTOP)  # so that it is in the middle of a video when it dies
    threading.Timer(0.3, lambda: [os.kill(pid, number) for number in signals]).start()
    with pytest.raises(VideoError, match=rf"short\.mp4: the decoder crashed \({signals[0].name}\)$"):
        reader.read(short_clip, 8)
    assert reader.read(short_clip, 8).num_available == 30


def test_a_child_that_died_between_two_videos(short_clip):
    reader = VideoReader()
    reader.read(short_clip, 8)
    os.kill(child_of(reader), signal.SIGKILL)
    time.sleep(0.3)  # not waited for: whether it is gone is for the reader to find out
    assert reader.read(short_clip, 8).num_available == 30


def test_a_relative_name_after_the_folder_has_changed(reader, short_clip, monkeypatch):
    monkeypatch.chdir(short_clip.parent)
    assert reader.read(short_clip.name, 8).num_available == 30
    with pytest.raises(VideoError, match=r"^gone\.mp4: no such file$"):
        reader.read("gone.mp4", 8)


def test_settings_that_cannot_be_are_no_fault_of_the_video(reader, short_clip):
    with pytest.raises(BadInput, match=r"multiple of video\.repeat=4, got 6") as caught:
        VideoReader(repeat=4).read(short_clip, 6)
    assert not isinstance(caught.value, VideoError)
    for seconds in (0, -1, float("nan")):
        with pytest.raises(BadInput, match=rf"video\.timeout_s must be a number of seconds over 0, got {seconds}"):
            VideoReader(timeout_s=seconds)


def test_a_decoder_that_does_not_start_says_so_in_one_line(short_clip, monkeypatch):
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    with pytest.raises(BadInput, match=r"^the decoder does not start \(exit status 1\): /bin/false .+$"):
        VideoReader().read(short_clip, 8)
