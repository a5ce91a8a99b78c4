"""Letters: every published form of an answer is read, and nothing is guessed.

The cases of `test_faults` are those in which lmms-eval and VLMEvalKit were found to take another letter, or any.
"""

from types import SimpleNamespace

import pytest

from intpv.scorer.letters import Letters
from intpv.scorer.scorer import Score

COLOURS = SimpleNamespace(answer="red", options=("red", "blue", "a man in red"))


@pytest.mark.parametrize(
    "prediction",
    ["A", "a", "(A)", "A.", "A)", " A\n", "The answer is A", "The best answer is: (A).", "Best Option: A", "answer: A",
     "A. red", "(A) red", "A: Red.", "red", "Red."],
)  # fmt: skip
def test_forms_of_the_right_answer(prediction):
    assert Letters().score(prediction, COLOURS) == Score(True, True)


@pytest.mark.parametrize("prediction", ["B", "B. blue", "blue", "Option B", "A man in red"])
def test_forms_of_a_wrong_one(prediction):
    assert Letters().score(prediction, COLOURS) == Score(False, True)


@pytest.mark.parametrize(
    "prediction",
    [
        "",
        ".",
        "A or B",
        "A, B",
        "A. blue",
        "D",
        "a red one",
        "AB",
        "(A",
        "I do not know",
        "A red thing",
        "E",
        "red blue",
    ],
)
def test_none_or_two_is_invalid(prediction):
    assert Letters().score(prediction, COLOURS) == Score(False, False)


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [
        ("Best option: C", "z", Score(True, True)),  # VLMEvalKit's LongVideoBench says B
        ("Best answer: C", "z", Score(True, True)),  # the same
        ("A man in green", "x", Score(False, False)),  # lmms-eval says A
        ("something else", "x", Score(False, False)),  # lmms-eval's NExT-QA and EgoSchema draw a letter
        ("", "x", Score(False, False)),  # lmms-eval's Vinoground ends with an IndexError
    ],
)
def test_faults_of_other_harnesses(prediction, answer, score):
    assert Letters().score(prediction, SimpleNamespace(answer=answer, options=("x", "y", "z"))) == score


def test_options_with_their_own_letters():
    own = SimpleNamespace(answer="B. red", options=("A. blue", "B. red"))
    for prediction in ("B", "(B)", "B. red", "red"):
        assert Letters().score(prediction, own) == Score(True, True)
    letters = SimpleNamespace(answer="A", options=("A", "B"))
    assert Letters().score("A.", letters) == Score(True, True)


def test_of_equal_options_each_letter_is_right():
    twice = SimpleNamespace(answer="red", options=("red", "blue", "red"))
    assert [Letters().score(letter, twice).correct for letter in "ABC"] == [True, False, True]


def test_an_answer_outside_its_options_is_never_right():
    lost = SimpleNamespace(answer="drone", options=("red", "blue"))
    assert Letters().score("drone", lost) == Score(False, False)
