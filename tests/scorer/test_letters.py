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


def test_options_with_their_own_labels():
    own = SimpleNamespace(answer="Caption B: He sits.", options=("Caption A: He runs.", "Caption B: He sits."))
    for prediction in ("Caption B", "caption B.", "The answer is Caption B", "Caption B: He sits.", "He sits.", "B"):
        assert Letters().score(prediction, own) == Score(True, True)
    for prediction in ("Sentence B", "Caption B: He runs.", "Caption A or Caption B", "Caption C"):
        assert not Letters().score(prediction, own).valid
    numbered = SimpleNamespace(answer="Option 2: He sits.", options=("Option 1: He runs.", "Option 2: He sits."))
    assert Letters().score("Best option: Option 2", numbered) == Score(True, True)
    assert Letters().score("Option 1", numbered) == Score(False, True)


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        ("No, the man is not swimming.", Score(True, True)),
        ("Yes. The man is shooting.", Score(False, True)),
        ("No", Score(True, True)),
        ("Yes or no", Score(False, False)),
        ("No, yes.", Score(False, False)),
        ("No idea", Score(False, False)),
        ("It is impossible to say, no.", Score(False, False)),
    ],
)
def test_a_sentence_that_begins_with_yes_or_no(prediction, score):
    assert Letters().score(prediction, SimpleNamespace(answer="no", options=("yes", "no"))) == score
    assert Letters().score(prediction, SimpleNamespace(answer="no", options=("no", "perhaps"))).valid == (
        prediction == "No"
    )


@pytest.mark.parametrize(
    ("prediction", "valid"),
    [
        ("**A. red**\n\nA man wears it.", True),
        ("**A**", True),
        ("The answer is\nA", True),
        ("A\nIt is clear: I see a car.", True),
        ("A\nB", False),
        ("A\nor (B)", False),
        ("A. red\nB. blue", False),
        ("A\nOn second thoughts, B.", False),
        ("A\nblue", False),
        ("A man wears it.\nA", False),
    ],
)
def test_an_answer_that_further_lines_explain(prediction, valid):
    assert Letters().score(prediction, COLOURS) == Score(valid, valid)
