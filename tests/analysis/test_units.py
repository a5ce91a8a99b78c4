"""Units: three digits, and the number can be read back to within half of the third."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.units import MISSING, bytes_text, interval_text, percent, seconds_text

SIZE = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "s": 1, "ms": 1e-3, "µs": 1e-6}


def read_back(text):
    number, unit = text.split()
    return float(number) * SIZE[unit], len(number.replace(".", ""))


@given(st.integers(0, 10**14))
def test_bytes_are_exact_to_three_digits(count):
    value, digits = read_back(bytes_text(count))
    assert value == pytest.approx(count, rel=0.00501)
    assert digits <= 3


@given(st.floats(1e-6, 900))
def test_seconds_are_exact_to_three_digits(seconds):
    value, digits = read_back(seconds_text(seconds))
    assert value == pytest.approx(seconds, rel=0.00501)
    assert digits == 3


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_900, "1.00 MB"), (12_345, "12.3 kB")]
)
def test_prefixes_change_at_a_thousand(count, text):
    assert bytes_text(count) == text


def test_nothing_is_a_dash_and_no_zero_is_negative():
    assert bytes_text(None) == seconds_text(None) == percent(None) == MISSING
    assert percent(-0.0001) == "0.0"
    assert interval_text(None, 1.0) == ""
    assert interval_text(-0.001, 0.5) == " [0, 50]"
