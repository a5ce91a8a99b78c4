"""Parity: multiple choice as lmms-eval reads NExT-QA, to say how often the strict rule differs.

MMMU's rule: letters in brackets, else letters before a space, else before a full stop, else, in more than five words,
an option's text; of several the last. "A man in red" is A, and the E at the end of "SAME" is one. Where nothing is
found a letter is drawn, which is right once in five: here by seed, prediction and answer alone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from intpv.bounds import check_whole
from intpv.scorer.scorer import Asked, Score, Scorer

STRIPPED = ",.!?;:'"
LONG = 5  # words beyond which an option's text is looked for


@dataclass(frozen=True)
class LmmsEval(Scorer):
    """Every prediction is valid: what names nothing is guessed."""

    needs_options = True
    reads_letters = True

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("scorer.seed", self.seed, least=0)

    def score(self, prediction: str, question: Asked) -> Score:
        if not question.options:
            return Score(correct=False, valid=False)
        place = last_named(prediction, question.options)
        if place is None:
            place = random.Random(f"{self.seed}/{prediction}/{question.answer}").randrange(len(question.options))
        return Score(correct=question.options[place] == question.answer, valid=True)


def last_named(prediction: str, options: Sequence[str]) -> int | None:
    """The place of the option that counts; None where a letter would be drawn.

    >>> options = ["red", "blue", "green", "grey", "none"]
    >>> [last_named(text, options) for text in ("(B)", "A man in red", "SAME", "green")]
    [1, 0, 4, None]
    """
    text = prediction
    for sign in STRIPPED:
        text = text.strip(sign)
    text = f" {text} "
    letters = ascii_uppercase[: len(options)]
    # a form, and where a letter's place is taken in it when several are found: that of bare letters needs both spaces
    for form, placed in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        found = [letter for letter in letters if form.format(letter) in text]
        if found:
            return letters.index(max(found, key=lambda letter: text.rfind(placed.format(letter))))
    if len(text.split()) <= LONG:
        return None
    lower = text.lower()
    named = [place for place, option in enumerate(options) if option.lower() in lower]
    return max(named, key=lambda place: lower.rfind(options[place].lower())) if named else None
