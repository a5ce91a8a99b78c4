"""Accuracy: bounds, what failing costs, and what each rate is a rate of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.metrics.accuracy import accuracy


def test_of_nothing_is_nothing():
    assert accuracy([]) == {}


def test_every_rate_is_between_0_and_1(draw):
    metrics = accuracy(draw())
    assert {"accuracy", "accuracy_restricted", "invalid_rate", "coverage", "accuracy/first"} < metrics.keys()
    assert all(0 <= value <= 1 for value in metrics.values())


def test_kinds_average_to_the_whole_when_equally_many(draw):
    metrics = accuracy(draw())
    kinds = [value for name, value in metrics.items() if name.startswith("accuracy/")]
    assert sum(kinds) / len(kinds) == pytest.approx(metrics["accuracy"]) == pytest.approx(metrics["accuracy_macro"])


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.data())
def test_failing_never_helps(line, failed, correct, data):
    lines = [line(f"v{i}/0", correct=right, choice="yes" if right else "no") for i, right in enumerate(correct)]
    broken = data.draw(st.integers(0, len(lines) - 1))
    worse = [failed(one["id"]) if i == broken else one for i, one in enumerate(lines)]
    before, after = accuracy(lines), accuracy(worse)
    assert after["accuracy"] <= before["accuracy"]
    assert after.get("accuracy_restricted", 0) <= before["accuracy_restricted"]
    assert after["coverage"] == pytest.approx(1 - 1 / len(lines))
    assert after.get("accuracy_answered", 0) * after["coverage"] == pytest.approx(after["accuracy"])


def test_failed_lines_are_wrong_even_if_they_say_otherwise(line):
    assert accuracy([line(correct=True, error="no frames")])["accuracy"] == 0


def test_invalid_rate_is_of_the_answered(line, failed):
    lines = [line("a/0"), line("a/1", correct=False, valid=False), failed("b/0"), failed("b/1")]
    assert accuracy(lines)["invalid_rate"] == 0.5
    assert "invalid_rate" not in accuracy([failed()])


def test_restricted_is_the_likeliest_option_whatever_was_generated(line):
    lines = [line("a/0", correct=False, valid=False), line("a/1", choice="no")]
    assert accuracy(lines)["accuracy_restricted"] == 0.5


def test_restricted_needs_options_and_scores(line):
    assert "accuracy_restricted" not in accuracy([line(choice=None)])
    open_question = line("a/1", options=[], choice=None)
    assert accuracy([line("a/0"), open_question])["accuracy_restricted"] == 1
