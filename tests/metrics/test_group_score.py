"""Group score: by hand for Vinoground's four questions a pair, and its published chance of guessing."""

import itertools

import pytest

from intpv.metrics.group_score import group_score


@pytest.fixture
def pair(line):
    """Four questions of a pair, right where `right` has a 1: text pos, text neg, video pos, video neg."""

    def make(number, right):
        sides = itertools.product(("text", "video"), ("pos", "neg"))
        return [
            line(
                f"v/{number}/{kind}/{side}",
                kind=kind,
                labels={"pair": number, "side": side},
                options=["A", "B"],
                answer="AB"[side == "neg"],
                correct=good == "1",
            )
            for (kind, side), good in zip(sides, right, strict=True)
        ]

    return make


def test_all_of_a_pair_must_be_right(pair):
    lines = [one for number, right in enumerate(("1111", "1101", "1011", "0000")) for one in pair(number, right)]
    found = group_score(lines)
    assert (found["pair_score/text"], found["pair_score/video"], found["group_score"]) == (0.5, 0.5, 0.25)
    assert (found["pair_score_floor/text"], found["group_score_floor"]) == (0.25, 0.0625)


def test_one_answer_to_all_is_the_floor_where_it_beats_guessing(line):
    lines = [line(f"v/{n}", labels={"pair": n // 2}, options=["A", "B"], answer="A") for n in range(4)]
    assert group_score(lines)["pair_score_floor/presence"] == 1.0


def test_a_pair_that_lacks_questions_counts_in_no_score_of_them(pair):
    lines = [*pair(0, "1111"), *pair(1, "0000")[2:]]
    found = group_score(lines)
    assert found["group_score"] == found["pair_score/text"] == 1.0
    assert found["pair_score/video"] == 0.5


def test_a_failed_question_costs_its_pair(pair):
    lines = pair(0, "1111")
    lines[0]["error"] = "no frames"
    assert group_score(lines)["pair_score/text"] == 0
    assert group_score(lines)["pair_score/video"] == 1


def test_nothing_without_pairs(draw):
    assert group_score(draw(2)) == {}
