"""Units: three digits, and the number can be read back to within half of the third."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.units import MISSING, bytes_text, interval_text, nats_text, percent, seconds_text

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


@given(st.floats(1e-9, 900), st.floats(0, 1), st.floats(1, 3))
def test_nats_and_their_interval_are_exact_to_three_digits(nats, low, high):
    value, bounds = nats_text(nats, nats * low, nats * high).split(" [")
    number, unit = value.split()
    size = {"nat": 1, "mnat": 1e-3, "µnat": 1e-6, "nnat": 1e-9}[unit]
    told = [float(number), *map(float, bounds.rstrip("]").split(", "))]
    assert [one * size for one in told] == pytest.approx([nats, nats * low, nats * high], rel=0.00501)
    assert nats_text(nats) == value


def test_nothing_is_a_dash_and_no_zero_is_negative():
    assert bytes_text(None) == seconds_text(None) == percent(None) == MISSING
    assert percent(-0.0001) == "0.0"
    assert interval_text(None, 1.0) == ""
    assert interval_text(-0.001, 0.5) == " [0, 50]"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((0.851, 0.893, 0, 0.871, 60), " [85, 89]"),
        ((0.866, 0.874, 0, 0.866, 60), " [86.6, 87.4]"),  # 86.6 beside [87, 87]
        ((0.87, 0.89, 0, 0.866, 60), " [87.000, 89.000]"),  # no digit puts it inside: shown as it is
        ((0.2, 0.9, 0, 0.5, 9), " [20, 90]*"),
        ((0.2, 0.9, 0, 0.5, 10), " [20, 90]"),
    ],
)
def test_an_interval_keeps_its_width_and_says_what_it_rests_on(given, text):
    assert interval_text(*given) == text
