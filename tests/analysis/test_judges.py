"""Judges compared on the same predictions, and refused on others."""

import pytest

from analysis.judges import judge_pair
from intpv.errors import BadInput
from intpv.exchange.imported import sample_of


def judged(words, predictions=None):
    said = predictions or [f"dog {n}" for n in range(len(words))]
    lines = [sample_of(f"q{n}", f"v{n}", "?", one, answer="dog") for n, one in enumerate(said)]
    return [{**line, "verdict": word} for line, word in zip(lines, words, strict=True)]


def test_what_either_left_open_is_left_out():
    found = judge_pair("cell", judged(["yes", "no", "none", "yes", None]), judged(["yes", "yes", "no", "yes", None]))
    assert (found.both.answers, found.left_out) == (3, 1)
    assert found.both.agreement == 2 / 3


def test_other_predictions_are_refused():
    with pytest.raises(BadInput, match="same predictions, got two of question q1"):
        judge_pair("cell", judged(["yes", "no"]), judged(["yes", "no"], ["dog 0", "cat"]))
    with pytest.raises(BadInput, match="same questions, got 2 and 1, q1 in one alone"):
        judge_pair("cell", judged(["yes", "no"]), judged(["yes"]))
