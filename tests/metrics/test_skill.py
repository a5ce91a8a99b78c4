"""Skill: 1 at the ceiling, 0 at the blind answer, a straight line between, and silent where it is undefined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.metrics.accuracy import accuracy
from intpv.metrics.skill import SMALLEST_GAP, skill


def lines_with(line, correct, ceiling, blind, count=20):
    return [line(f"v{i}/0", correct=i < correct, ceiling=ceiling, blind=blind) for i in range(count)]


def test_is_1_at_the_ceiling_and_0_at_the_blind_answer(line):
    assert skill(lines_with(line, 16, 0.8, 0.25))["skill"] == pytest.approx(1)
    assert skill(lines_with(line, 5, 0.8, 0.25))["skill"] == pytest.approx(0)


@given(st.integers(0, 20))
def test_rises_by_the_same_step_with_every_answer(line, correct):
    value = skill(lines_with(line, correct, 0.75, 0.25))["skill"]
    assert value == pytest.approx((correct / 20 - 0.25) / 0.5)


def test_is_accuracy_where_the_bounds_are_0_and_1(draw):
    lines = [{**one, "ceiling": 1.0, "blind": 0.0} for one in draw()]
    of_accuracy = {name: value for name, value in accuracy(lines).items() if name.split("/")[0] == "accuracy"}
    found = skill(lines)
    assert {name.replace("accuracy", "skill"): value for name, value in of_accuracy.items()} == pytest.approx(
        {name: value for name, value in found.items() if name.split("/")[0] == "skill"}
    )


def test_takes_all_three_means_over_the_questions_with_bounds(line):
    bounded = lines_with(line, 16, 0.8, 0.25)
    unbounded = [line(f"w{i}/0", correct=False, ceiling=None) for i in range(50)]
    assert skill(bounded + unbounded) == skill(bounded)


@pytest.mark.parametrize("bounds", [{"ceiling": 0.8, "blind": 0.25}, {"ceiling": None, "blind": None}])
def test_failed_questions_are_wrong_with_or_without_bounds(line, failed, bounds):
    lines = lines_with(line, 16, 0.8, 0.25)
    broken = [failed(lines[0]["id"], **bounds), *lines[1:]]
    assert skill(broken) == skill([{**lines[0], "correct": False}, *lines[1:]])


def test_a_failed_question_of_a_kind_without_bounds_is_not_rated(line, failed):
    lines = lines_with(line, 16, 0.8, 0.25)
    assert skill([*lines, failed("w/0", kind="open", ceiling=None, blind=None)]) == skill(lines)


def test_follows_from_the_other_metrics_even_if_videos_failed(draw, failed):
    lines = [failed(one["id"], ceiling=None) if one["video"] in ("v0", "v1") else one for one in draw()]
    found = skill(lines)
    gap = found["ceiling"] - found["blind"]
    assert found["skill"] == pytest.approx((accuracy(lines)["accuracy"] - found["blind"]) / gap)


@pytest.mark.parametrize("bounds", [{"ceiling": None}, {"blind": None}])
def test_a_missing_bound_leaves_it_out(line, bounds):
    assert skill([line(**bounds)]) == {}


@pytest.mark.parametrize("gap", [0.0, SMALLEST_GAP / 2, -0.1])
def test_a_gap_too_small_leaves_it_out_but_not_the_bounds(line, gap):
    assert skill(lines_with(line, 10, 0.5 + gap, 0.5)).keys() == {"ceiling", "blind"}


def test_one_kind_without_a_gap_leaves_the_others(line):
    told = lines_with(line, 16, 0.8, 0.25)
    hidden = [line(f"w{i}/0", kind="speed", ceiling=0.5, blind=0.5) for i in range(4)]
    metrics = skill(told + hidden)
    assert "skill/speed" not in metrics
    assert metrics["skill/presence"] == pytest.approx(1)
