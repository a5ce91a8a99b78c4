"""Sampling against its definition, over random n and F."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.video.sampling import SAMPLINGS, TICK, OutsideVideo, Sampler, at_rate, linspace, midpoint, nested

counts = st.integers(1, 100_000)
shown = st.integers(1, 512)
rates = st.floats(0.1, 10)
gaps = st.lists(st.floats(0.01, 5), max_size=12)


@given(counts, shown)
def test_midpoint_is_on_screen_in_the_middle_of_equal_parts(n, f):
    indices = midpoint(n, f)
    for i, index in enumerate(indices):
        assert index * 2 * f <= (2 * i + 1) * n < (index + 1) * 2 * f  # the frame on screen at that instant


@given(counts, shown)
def test_all_stay_inside_and_in_order(n, f):
    for sampling in SAMPLINGS.values():
        indices = sampling(n, f)
        assert len(indices) == f
        assert indices == sorted(indices)
        assert 0 <= indices[0] <= indices[-1] < n


@given(counts, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16]))
def test_phases_deal_a_denser_sampling_to_several_videos_in_turn(n, f, windows):
    dealt = [Sampler(phase=(k + 0.5) / windows).indices(n, f) for k in range(windows)]
    assert [dealt[i % windows][i // windows] for i in range(f * windows)] == midpoint(n, f * windows)
    assert Sampler(phase=0).indices(n, f) == tuple(nested(n, f))


@given(counts, shown, st.floats(0, 1, exclude_max=True))
def test_any_phase_is_on_screen_in_its_own_part(n, f, phase):
    for i, index in enumerate(midpoint(n, f, phase)):
        assert i * n // f <= index < ceil((i + 1) * n / f)


@given(counts, shown)
def test_linspace_is_numpys(n, f):
    assert linspace(n, f) == np.linspace(0, n - 1, f, dtype=int).tolist()


@given(counts, shown, st.integers(1, 16))
def test_nested_frames_stay_when_there_are_more(n, f, k):
    few, many = nested(n, f), nested(n, k * f)
    assert many[::k] == few


@given(shown)
def test_all_frames_are_shown_once_when_there_are_exactly_as_many(f):
    for sampling in SAMPLINGS.values():
        assert sampling(f, f) == list(range(f))


@given(gaps, st.floats(0.01, 60), rates, st.integers(1, 64))
def test_fps_shows_what_is_on_screen_at_equal_steps(between, last, fps, f):
    seconds = [2.5, *(2.5 + np.cumsum(between))]
    end = seconds[-1] + last
    indices = at_rate(seconds, f, fps, end)
    assert len(indices) == f
    assert indices == sorted(indices)
    instants = [2.5 + step / fps for step in range(1 + int((end - 2.5) * fps)) if 2.5 + step / fps < end - 1e-6]
    on_screen = [max(i for i, second in enumerate(seconds) if second <= instant + 1e-5) for instant in instants]
    assert set(indices) <= set(on_screen) | {index - 1 for index in on_screen} | {index + 1 for index in on_screen}
    if len(instants) < f:
        assert set(indices[len(instants) + 1 :]) <= {indices[-1]}


def test_fps_thins_long_videos_evenly_and_repeats_the_end_of_short_ones():
    seconds = [i / 25 for i in range(250)]  # 10 s
    assert at_rate(seconds, 20, 2) == [round(12.5 * i - 0.1) for i in range(20)]
    assert at_rate(seconds, 10, 2) == at_rate(seconds, 20, 2)[1::2]
    assert at_rate(seconds, 24, 2) == at_rate(seconds, 20, 2) + 4 * [237]
    assert at_rate([0.0], 3, 2) == [0, 0, 0]
    unequal = [0, 1, 1.1, 1.2, 3]
    assert at_rate(unequal, 4, 1, 3.1) == [0, 1, 3, 4]


@given(st.lists(st.floats(0.01, 20), min_size=1, max_size=9), st.sampled_from([0.5, 1, 2, 10]))
def test_fps_gives_each_frame_its_share_of_the_time_the_last_one_too(durations, fps):
    ends = np.cumsum(durations)
    instants = ceil((ends[-1] - TICK) * fps)
    indices = at_rate([0, *ends[:-1]], instants, fps, ends[-1])
    shares = np.bincount(indices, minlength=len(durations)) / fps
    assert np.abs(shares - durations).max() <= 1 / fps + 1e-3


def test_fps_lets_a_last_frame_of_unknown_length_stay_as_long_as_the_one_before():
    assert at_rate([0, 10, 20], 30, 1) == at_rate([0, 10, 20], 30, 1, 30) == [0] * 10 + [1] * 10 + [2] * 10


@given(counts, st.integers(1, 64), st.integers(1, 8))
def test_repeat_shows_each_distinct_frame_k_times(n, distinct, k):
    indices = Sampler(repeat=k).indices(n, distinct * k)
    assert list(indices[::k]) == midpoint(n, distinct)
    assert all(indices[i] == indices[i - i % k] for i in range(len(indices)))


def test_a_short_video_shows_frames_more_than_once():
    assert set(midpoint(3, 8)) == {0, 1, 2}


def test_errors_carry_both_numbers():
    with pytest.raises(BadInput, match=r"frames must be a multiple of video.repeat=3, got 8"):
        Sampler(repeat=3).indices(100, 8)
    with pytest.raises(BadInput, match=r"got 8 of 0"):
        Sampler().indices(0, 8)
    with pytest.raises(BadInput, match=r"midpoint, linspace, nested, fps, change, scores, got random"):
        Sampler(sampling="random")
    with pytest.raises(BadInput, match=r"at least 1, got 0"):
        Sampler(repeat=0)
    with pytest.raises(BadInput, match=r"needs video.fps, .* got None"):
        Sampler(sampling="fps")
    with pytest.raises(BadInput, match=r"video.phase must be a number from 0 up to 1, got 1"):
        Sampler(phase=1)
    with pytest.raises(BadInput, match=r"for video.sampling=midpoint, got 0.25 with video.sampling=nested"):
        Sampler(sampling="nested", phase=0.25)
    with pytest.raises(BadInput, match=r"got 2 with video.sampling=nested"):
        Sampler(sampling="nested", fps=2)


@given(gaps, st.floats(0, 30), st.floats(0.01, 30), st.integers(1, 16), st.sampled_from(list(SAMPLINGS)))
def test_a_clip_is_sampled_as_the_frames_on_screen_in_it_alone(between, start, length, f, sampling):
    seconds = [0.0, *np.cumsum(between)]
    ends = [*seconds[1:], seconds[-1] + 1]
    clip, sampler = (start, start + length), Sampler(sampling, clip=(start, start + length))
    shown = [i for i, (comes, goes) in enumerate(zip(seconds, ends, strict=True)) if comes < clip[1] and goes > start]
    # an instant on the edge of a frame may fall to either side
    if any(abs(edge - time) < 1e-4 for edge in clip for time in (*seconds, ends[-1])):
        return
    if not shown:
        with pytest.raises(OutsideVideo, match=r"begins after its end at"):
            sampler.indices(len(seconds), f, seconds, ends[-1])
    else:
        expected = [shown[i] for i in SAMPLINGS[sampling](len(shown), f)]
        assert list(sampler.indices(len(seconds), f, seconds, ends[-1])) == expected


def test_a_clip_at_a_fixed_rate_counts_from_its_start():
    seconds = [i / 10 for i in range(100)]
    sampler = Sampler("fps", fps=2, clip=(3.25, 5.25))
    assert sampler.indices(100, 4, seconds, 10) == (32, 37, 42, 47)
    with pytest.raises(BadInput, match=r"a clip must start at 0 s or later and end after its start, got \(3, 3\)"):
        Sampler(clip=(3, 3))
