"""Axes that can be read: few round ticks, numbers below a thousand."""

from hypothesis import given
from hypothesis import strategies as st

from analysis.page import byte_unit, log_ticks


@given(st.floats(1e-9, 1e9), st.floats(1.01, 1e8))
def test_a_logarithmic_axis_has_two_to_six_ticks(low, ratio):
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 6
    assert ticks == sorted(ticks)


@given(st.integers(1, 10**14))
def test_an_axis_of_bytes_ends_below_a_thousand(most):
    unit, name = byte_unit(most)
    assert 0.999 <= most / unit < 1000
    assert name.endswith("B")
