"""Sentences: naming the answer alone is right, hedging is invalid."""

from types import SimpleNamespace

import pytest

from intpv.scorer.contains import Contains
from intpv.scorer.scorer import Score


@pytest.mark.parametrize(
    ("prediction", "correct", "valid"),
    [
        ("red", True, True),
        ("It was Red.", True, True),
        ("The first one was blue, I think", False, True),
        ("red or blue", False, False),
        ("it was bored", False, False),
        ("", False, False),
    ],
)
def test_among_options(prediction, correct, valid):
    question = SimpleNamespace(answer="red", options=("red", "blue"))
    assert Contains().score(prediction, question) == Score(correct, valid)


def test_an_option_within_another_is_told_apart():
    question = SimpleNamespace(answer="c", options=("c", "c++"))
    assert Contains().score("written in c", question).correct
    assert not Contains().score("written in c++", question).correct
    shades = SimpleNamespace(answer="light green", options=("green", "light green"))
    assert Contains().score("It is light green.", shades) == Score(True, True)
    assert Contains().score("It is green.", shades) == Score(False, True)


def test_open_ended():
    question = SimpleNamespace(answer="a dog", options=())
    assert Contains().score("There is a dog in it", question) == Score(True, True)
    assert Contains().score("There is a cat", question) == Score(False, True)


@pytest.mark.parametrize("prediction", ["", "a dog", "."])
def test_without_an_answer_nothing_is_right(prediction):
    assert not Contains().score(prediction, SimpleNamespace(answer="", options=())).correct
