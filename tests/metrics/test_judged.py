"""A judge's metrics: what says neither is counted, and people's verdicts correct the rest."""

import pytest

from intpv.metrics.judged import judged


@pytest.fixture
def verdict(line):
    def make(id, word, score=None, **changes):
        return line(id, options=[], verdict=word, correct=word == "yes", judge_score=score, **changes)

    return make


def test_counts(verdict, failed):
    lines = [verdict("a/0", "yes", 5), verdict("a/1", "no", 4), verdict("b/0", "none"), verdict("b/1", "yes", 0)]
    metrics = judged([*lines, verdict("c/0", None, 0.0), failed("c/1", options=[], verdict=None, judge_score=None)])
    assert metrics["judge/unparsed"] == 1 / 4
    assert metrics["judge/accuracy_parsed"] == 2 / 4  # an empty prediction, of which nobody was asked, is wrong
    assert metrics["judge/contradictory"] == 2 / 3
    assert metrics["judge/score"] == 9 / 4
    assert "judge/human" not in metrics


def test_samples_of_no_judge_have_none(line):
    assert judged([line(), line("v1/0")]) == {}


def test_people_correct_a_judge_that_always_says_yes(verdict):
    lines = [verdict(f"v{n}/0", "yes", 5, **({"human": n % 2 == 0} if n < 40 else {})) for n in range(100)]
    metrics = judged([*lines, *(verdict(f"w{n}/0", None) for n in range(100))])  # half was never asked, and is wrong
    assert metrics["judge/human"] == 40
    assert metrics["judge/human_agreement"] == 0.5
    assert metrics["judge/corrected_accuracy"] == pytest.approx(0.25)
    assert metrics["judge/corrected_accuracy_ci95_low"] < 0.25 < metrics["judge/corrected_accuracy_ci95_high"] < 0.4
