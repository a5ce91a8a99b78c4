"""VLMEvalKit's rule: its proven faults are repeated, which the strict rule has not."""

from types import SimpleNamespace

import pytest

from intpv.scorer.letters import named_option
from intpv.scorer.scorer import Score
from intpv.scorer.vlmevalkit import VLMEvalKit, first_capital

OPTIONS = ("x", "y", "z", "u")


@pytest.mark.parametrize(
    ("prediction", "letter"),
    [("B", "B"), ("(B)", "B"), ("B. y", "B"), ("The best answer is C", "C"), ("Answer: D", "D")],
)
def test_what_both_read_alike(prediction, letter):
    assert first_capital(prediction, 5) == letter
    assert named_option(prediction, OPTIONS) == OPTIONS["ABCD".index(letter)]


@pytest.mark.parametrize(
    ("prediction", "theirs", "ours"),
    [
        ("Best option: C", "B", "z"),  # two phrases that a missing comma glues together
        ("Best answer: C", "B", "z"),
        ("A man in red", "A", None),
        ("A or B", "A", None),
        ("I cannot tell. Both look alike.", "B", None),
        ("b", "", "y"),
    ],
)
def test_faults(prediction, theirs, ours):
    assert first_capital(prediction, 5) == theirs
    assert named_option(prediction, OPTIONS) == ours


def test_a_letter_that_the_question_lacks_is_invalid():
    question = SimpleNamespace(answer="x", options=OPTIONS)
    assert VLMEvalKit().score("E", question) == Score(False, False)
    assert VLMEvalKit().score("A", question) == Score(True, True)
    assert VLMEvalKit().score("", question) == Score(False, False)
