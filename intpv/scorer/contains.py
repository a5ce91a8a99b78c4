"""Free answers: the prediction must name the answer, as whole words, and no other option beside it."""

import re
from dataclasses import dataclass

from intpv.scorer.options import normalised
from intpv.scorer.scorer import Asked, Score, Scorer


@dataclass(frozen=True)
class Contains(Scorer):
    """For models that answer in sentences. Without options, naming the answer is all there is: `valid` is any words."""

    def score(self, prediction: str, question: Asked) -> Score:
        answer = normalised(question.answer)
        # an answer that nobody wrote down is no word: nothing can be right
        named = _named(normalised(prediction), {answer, *map(normalised, question.options)} - {""})
        return Score(
            correct=bool(answer) and named == {answer},
            valid=len(named) == 1 if question.options else bool(prediction.split()),
        )


def _named(text: str, options: set[str]) -> set[str]:
    """Options that occur as whole words; one inside a longer one ("green" in "light green") does not count."""
    found = set()
    for option in sorted(options, key=len, reverse=True):
        # \b fails beside "+" or "#", which options may end in
        text, times = re.subn(rf"(?<!\w){re.escape(option)}(?!\w)", "\0", text)
        if times:
            found.add(option)
    return found
