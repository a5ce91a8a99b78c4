"""Summary: all metrics of a cell, finite, and the same for any order of the lines."""

import json
import math
import random

from intpv.metrics.cell import summarise


def test_has_every_metric_overall_and_for_each_regime(draw):
    metrics = summarise(draw())
    names = {"accuracy", "accuracy_restricted", "invalid_rate", "coverage", "skill", "ceiling", "blind", "skill/first"}
    names |= {f"{metric}_ci95_{end}" for metric in ("accuracy", "skill") for end in ("low", "high")}
    for prefix in ("", "slow/", "fast/"):
        assert {prefix + name for name in names} <= metrics.keys()


def test_order_of_lines_leaves_no_trace(draw):
    lines = draw()
    shuffled = random.Random(0).sample(lines, len(lines))
    assert json.dumps(summarise(shuffled)) == json.dumps(summarise(lines))


def test_is_finite_and_plain_whatever_is_missing(line, failed, draw):
    nothing = {"ceiling": None, "blind": None, "choice": None}
    cases = [[], [line()], [failed()], [line(**nothing)], [failed(**nothing)], [line(labels={}, options=[])], draw(2)]
    for lines in cases:
        for value in summarise(lines).values():
            assert type(value) is float
            assert math.isfinite(value)


def test_counts_videos_and_questions(draw):
    metrics = summarise(draw(6))
    assert metrics["videos"] == 6
    assert metrics["questions"] == 60
    assert metrics["slow/videos"] == 3
