"""The worth of order: readers whose answers are known by construction."""

import pytest

from intpv.errors import BadInput
from intpv.metrics.frame_order import as_reversed, order_effect

TURNED, KEPT, NONE = "before", "2", None
OPPOSITE = {"before": "after", "after": "before"}


@pytest.fixture(scope="module")
def asked(line):
    """Each of 20 videos: a question that reversal turns round, one that it leaves alone, one without an answer then."""

    def answer_with(say):
        lines = []
        for video in range(20):
            kinds = (("order", "before", "after"), ("count", "2", "2"), ("cause", "north", None))
            for kind, answer, backwards in kinds:
                labels = {"reversed_answer": backwards, "reverses": backwards not in (None, answer)}
                said = say(answer, backwards)
                about = {"kind": kind, "answer": answer, "labels": labels, "options": ["before", "after", "2", "north"]}
                lines.append(line(f"v{video}/{kind}", **about, prediction=said, correct=said == answer))
        return lines

    return answer_with


def test_a_reader_of_time_loses_nothing_by_reversing(asked):
    right, backwards = asked(lambda answer, _: answer), asked(lambda answer, back: back or answer)
    effect = order_effect(right, right, backwards)
    assert effect["all"].ordered == effect["all"].reversed == 1
    assert effect["all"].lost_by_reversing.mean == effect["all"].lost_by_shuffling.mean == 0
    assert effect["turned round"].unmoved == 0
    assert effect["turned round"].questions == effect["left alone"].questions == 20


def test_one_that_does_not_look_at_order_loses_exactly_what_is_turned_round(asked):
    blind = asked(lambda answer, _: answer)
    effect = order_effect(blind, blind, blind)
    assert effect["all"].lost_by_shuffling.mean == 0
    assert effect["all"].lost_by_reversing.mean == pytest.approx(0.5)
    assert effect["turned round"].lost_by_reversing.mean == effect["turned round"].unmoved == 1
    assert effect["left alone"].lost_by_reversing.mean == 0
    assert effect["order"] == effect["turned round"]


def test_what_has_no_answer_backwards_is_compared_with_shuffled_alone(asked):
    right, wrong = asked(lambda answer, _: answer), asked(lambda *_: "north")
    cause = order_effect(right, wrong, wrong)["cause"]
    assert (cause.ordered, cause.shuffled, cause.questions) == (1, 1, 20)
    assert cause.reversed is cause.lost_by_reversing is cause.unmoved is None


def test_scoring_backwards_twice_is_scoring_once(asked):
    lines = [one for one in asked(lambda answer, _: answer) if one["labels"]["reversed_answer"]]
    once = as_reversed(lines)
    back = [{**one, "labels": {**one["labels"], "reversed_answer": lines[i]["answer"]}} for i, one in enumerate(once)]
    assert [one["correct"] for one in as_reversed(back)] == [one["correct"] for one in lines]


def test_a_failed_question_is_wrong_in_every_order(asked):
    lines = [{**one, "prediction": None, "correct": False, "error": "no frames"} for one in asked(lambda a, _: a)]
    effect = order_effect(lines, lines, lines)["all"]
    assert effect.ordered == effect.shuffled == effect.reversed == 0


def test_other_questions_are_refused(asked):
    lines = asked(lambda answer, _: answer)
    with pytest.raises(BadInput, match="same questions"):
        order_effect(lines, lines[3:], lines)
