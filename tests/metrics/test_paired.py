"""Paired differences: zero with oneself, antisymmetric, the difference of the accuracies, narrower than unpaired."""

import random

import pytest

from intpv.errors import BadInput
from intpv.metrics.accuracy import accuracy
from intpv.metrics.interval import accuracy_interval
from intpv.metrics.paired import paired_difference


def test_with_itself_is_exactly_zero(draw):
    lines = draw()
    found = paired_difference(lines, random.Random(0).sample(lines, len(lines)))
    assert (found.mean, found.questions, found.videos) == (0, len(lines), len({line["video"] for line in lines}))
    assert found.ci95_low is found.ci95_high is None  # [0, 0] would claim that no other video could differ either


def test_is_the_difference_of_the_accuracies(draw):
    better, worse = draw(seed=1, accuracy=0.8), draw(seed=2, accuracy=0.5)
    found = paired_difference(better, worse)
    assert found.mean == pytest.approx(accuracy(better)["accuracy"] - accuracy(worse)["accuracy"])
    assert 0 < found.ci95_low < found.mean < found.ci95_high


def test_turns_its_sign_when_swapped(draw):
    one, other = draw(seed=1), draw(seed=2)
    forth, back = paired_difference(one, other, resamples=20_000), paired_difference(other, one, resamples=20_000)
    assert forth.mean == -back.mean
    assert forth.ci95_low == pytest.approx(-back.ci95_high, abs=0.01)


def test_common_noise_cancels(draw):
    lines = draw()
    flipped = [{**one, "correct": not one["correct"]} if one["id"].endswith("0/0") else one for one in lines]
    found = paired_difference(flipped, lines)
    free = accuracy_interval(lines)
    assert found.ci95_high - found.ci95_low < (free["accuracy_ci95_high"] - free["accuracy_ci95_low"]) / 2


def test_other_questions_are_refused_with_their_numbers(draw):
    with pytest.raises(BadInput, match="0 of 60 are missing in the reference, 40 of 100 in the cell"):
        paired_difference(draw(6), draw(10))


def test_no_questions_and_doubled_ones_are_refused(draw):
    lines = draw(2)
    with pytest.raises(BadInput, match="got 0 lines of 0 questions"):
        paired_difference([], [])
    with pytest.raises(BadInput, match="got 21 lines of 20 questions"):
        paired_difference([*lines, lines[0]], lines)


def test_one_video_has_a_mean_but_no_interval(draw):
    found = paired_difference(draw(1), draw(1, seed=3))
    assert found.ci95_low is found.ci95_high is None
