"""Sampling against its definition, over random n and F."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.video.sample import RULES, Sampler, endpoints, midpoints

counts = st.integers(1, 100_000)
shown = st.integers(1, 512)


@given(counts, shown)
def test_midpoints_are_on_screen_in_the_middle_of_equal_parts(n, f):
    indices = midpoints(n, f)
    for i, index in enumerate(indices):
        assert index * 2 * f <= (2 * i + 1) * n < (index + 1) * 2 * f  # the frame on screen at that instant


@given(counts, shown)
def test_both_rules_stay_inside_and_in_order(n, f):
    for rule in RULES.values():
        indices = rule(n, f)
        assert len(indices) == f
        assert indices == sorted(indices)
        assert 0 <= indices[0] <= indices[-1] < n


@given(counts, shown)
def test_endpoints_are_numpys_linspace(n, f):
    assert endpoints(n, f) == np.linspace(0, n - 1, f, dtype=int).tolist()


@given(shown)
def test_all_frames_are_shown_once_when_there_are_exactly_as_many(f):
    for rule in RULES.values():
        assert rule(f, f) == list(range(f))


@given(counts, st.integers(1, 64), st.integers(1, 8))
def test_repeat_shows_each_distinct_frame_k_times(n, distinct, k):
    indices = Sampler(repeat=k).indices(n, distinct * k)
    assert list(indices[::k]) == midpoints(n, distinct)
    assert all(indices[i] == indices[i - i % k] for i in range(len(indices)))


def test_a_short_video_shows_frames_more_than_once():
    assert set(midpoints(3, 8)) == {0, 1, 2}


def test_errors_carry_both_numbers():
    with pytest.raises(BadInput, match=r"multiple of repeat 3, got 8"):
        Sampler(repeat=3).indices(100, 8)
    with pytest.raises(BadInput, match=r"got 8 of 0"):
        Sampler().indices(0, 8)
    with pytest.raises(BadInput, match=r"midpoints, endpoints, got random"):
        Sampler(rule="random")
    with pytest.raises(BadInput, match=r"at least 1, got 0"):
        Sampler(repeat=0)
