"""Multiple choice: the prediction must name one option, by letter or by text; two or none is invalid, never a guess."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from intpv.scorer.options import STOPS, normalised
from intpv.scorer.scorer import Asked, Score, Scorer

# the whole prediction but for what stands before the letter and the option's text behind it
LEAD = r"(?:(?:the |my )?(?:best |correct |right )?(?:answer|option|choice)(?: is|:)*:? *(?:option )?)?"
STOP = rf"[{re.escape(STOPS)})]*"
LETTER = re.compile(
    rf"{LEAD}(?:\((?P<in>[a-z])\){STOP} *(?P<behind_in>.*)|(?P<bare>[a-z])(?:{STOP} *|[.:)] *(?P<behind_bare>.*)))",
    re.IGNORECASE,
)
MARK = re.compile(r"^\(?([A-Z])[.:)] *")  # of an option that brings its own letter, as "A. red"


@dataclass(frozen=True)
class Letters(Scorer):
    """Takes A, (A), A., "The answer is A", "A. red" and the option's text, as published prompts ask for them.

    "A man in red" is no A, "A. blue" none where A is red, "A or B" is two. Of equal options either letter is the same.
    """

    needs_options = True

    def score(self, prediction: str, question: Asked) -> Score:
        named = named_option(prediction, question.options)
        return Score(correct=named is not None and named == question.answer, valid=named is not None)


def named_option(prediction: str, options: Sequence[str]) -> str | None:
    """The one option that a prediction names; None for none and for several.

    >>> named_option("The answer is (B).", ["red", "blue"]), named_option("A or B", ["red", "blue"])
    ('blue', None)
    """
    text = " ".join(prediction.split())
    said = normalised(text)
    if by_text := {option for option in options if said in (normalised(option), _unmarked(option))}:
        return by_text.pop() if len(by_text) == 1 else None
    found = LETTER.fullmatch(text)
    if not found or (index := ascii_uppercase.index((found["in"] or found["bare"]).upper())) >= len(options):
        return None
    rest = normalised(found["behind_in"] or found["behind_bare"] or "")
    return options[index] if rest in ("", normalised(options[index]), _unmarked(options[index])) else None


def _unmarked(option: str) -> str:
    return normalised(MARK.sub("", option))
