"""Majority floor: no answer, and no place among the options, that is always given scores more of a kind."""

import random

import pytest

from intpv.metrics.accuracy import accuracy
from intpv.metrics.majority_floor import majority_floor


def test_it_is_what_the_best_constant_answers_score(draw, line):
    lines = [
        line(f"v0/{index}", kind=kind, options=options, answer=options[place], labels={})
        for index, (kind, options, place) in enumerate(
            [
                ("closed", ["a", "b"], 1),
                ("closed", ["c", "d"], 1),
                ("closed", ["e", "a"], 1),
                ("yes_no", ["yes", "no"], 0),
                ("yes_no", ["no", "yes"], 1),
                ("yes_no", ["no", "yes"], 0),
            ]
        )
    ]

    def scored(said):
        """Of each kind, as the accuracy of lines with these answers."""
        given = [one | {"correct": one["answer"] == said(one)} for one in lines]
        return {name: value for name, value in accuracy(given).items() if name.startswith("accuracy/")}

    constants = [scored(lambda one, said=said: said) for said in ["abcde", "yes", "no"]]
    constants += [scored(lambda one, place=place: one["options"][place]) for place in (0, 1)]
    found = majority_floor(lines)
    for kind, best in (("closed", 1.0), ("yes_no", 2 / 3)):
        assert found[f"majority_floor/{kind}"] == max(one[f"accuracy/{kind}"] for one in constants) == best
    assert found["majority_floor"] == pytest.approx((3 + 2) / 6)
    assert found["majority_floor_macro"] == pytest.approx((1 + 2 / 3) / 2)
    assert majority_floor(random.Random(0).sample(lines, len(lines))) == found


def test_failed_questions_count_and_unknown_answers_are_never_given(line, failed):
    lines = [line(answer="yes"), failed(answer="yes"), line(answer="", options=[]), line(answer="", options=[])]
    assert majority_floor(lines)["majority_floor"] == 0.5
    assert majority_floor([line(answer="", options=[])])["majority_floor"] == 0


def test_of_equal_options_each_is_right(line):
    lines = [line(options=["a", "b", "b"], answer="b"), line(options=["c", "d", "e"], answer="e")]
    assert majority_floor(lines)["majority_floor"] == 1.0
