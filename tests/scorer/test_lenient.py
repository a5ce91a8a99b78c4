"""Lenient: what exact takes is taken, and a few ways to say the same."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.scorer.exact import Exact
from intpv.scorer.lenient import Lenient


@pytest.mark.parametrize(
    ("prediction", "answer", "correct"),
    [
        ("A dog.", "dog", True),
        ("2", "two", True),
        ("No, he is not", "no", True),
        ("not yes", "yes", False),
        ("a", "a", True),
        ("puppy", "dog", False),
        ("dog or cat", "dog", False),
        ("", "", False),
    ],
)
def test_open_answers(prediction, answer, correct):
    assert Lenient().score(prediction, SimpleNamespace(answer=answer, options=())).correct == correct


@given(st.text("abz yes.12 ", min_size=1), st.text("abz yes.12 ", min_size=1))
def test_whatever_words_are_exact_are_right(prediction, answer):
    question = SimpleNamespace(answer=answer, options=())
    if Exact().score(prediction, question).correct and any(map(str.isalnum, answer)):
        assert Lenient().score(prediction, question).correct
