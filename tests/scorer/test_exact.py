"""Exact: the spelling is forgiven, a sentence is not."""

from types import SimpleNamespace

import pytest

from intpv.scorer.exact import Exact
from intpv.scorer.scorer import Score


@pytest.mark.parametrize(
    ("prediction", "correct", "valid"), [("Dog.", True, True), ("a dog", False, True), ("", False, False)]
)
def test_open_answers(prediction, correct, valid):
    assert Exact().score(prediction, SimpleNamespace(answer="dog", options=())) == Score(correct, valid)


def test_without_an_answer_nothing_is_right():
    assert not Exact().score("", SimpleNamespace(answer="", options=())).correct
