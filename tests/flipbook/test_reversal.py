"""Reversed answers, judged by a plain reader of the pictures played backwards and by reversing twice."""

import numpy as np
import pytest

from intpv.flipbook.question import reversed_answer
from intpv.flipbook.render import render
from intpv.flipbook.scene import SLOT, STEPS


@pytest.fixture(scope="module")
def filmed(draw_many, look):
    """(scene, questions, what each step shows), a few of each regime."""
    drawn = [one for regime in ("slow", "fast") for one in draw_many(regime, 2, stream=7)]
    return [(scene, questions, [look(p) for p in render(scene, range(STEPS))]) for scene, questions in drawn]


def test_they_are_what_a_reader_of_the_reversed_pictures_says(filmed, read_off):
    kinds = set()
    for scene, questions, shown in filmed:
        for question in questions:
            answer = reversed_answer(scene, question)
            if answer is None or question.about == ("corners",):
                continue
            kinds.add(question.kind)
            assert read_off(question, range(STEPS), shown[::-1]) == answer
            assert read_off(question, range(STEPS), shown) == question.answer
    assert kinds == {"first", "last", "count", "presence", "direction", "speed", "order", "when"}


def test_corners_change_in_the_eighth_of_the_first_step_that_differs(draw_many):
    found = 0
    for regime in ("slow", "fast"):
        for scene, questions in draw_many(regime, 20, stream=8):
            for question in questions:
                if question.about == ("corners",):
                    corner = np.array([picture[0, 0, 0] for picture in render(scene, range(STEPS))])
                    forth, back = (int(np.flatnonzero(np.diff(c.astype(int)))[0]) + 1 for c in (corner, corner[::-1]))
                    assert question.answer == str(forth // SLOT + 1)
                    assert reversed_answer(scene, question) == str(back // SLOT + 1)
                    found += 1
    assert found


def test_every_answer_is_an_option_and_only_the_cause_has_none(draw_many, regime):
    for scene, questions in draw_many(regime, 30, stream=9):
        for question in questions:
            answer = reversed_answer(scene, question)
            assert (answer is None) == (question.kind == "cause")
            assert answer is None or answer in question.options
            if question.kind in ("direction", "speed", "order"):
                assert answer != question.answer
            if question.kind in ("count", "presence"):
                assert answer == question.answer
