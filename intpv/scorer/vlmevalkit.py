"""Parity: multiple choice as VLMEvalKit reads LongVideoBench and Video-MME, to say how often the strict rule differs.

Known phrases are taken out, then the first capital that could be an option's letter counts, wherever it stands: "A man
in red" is A. Some of its phrases lack a comma between them in the source and never match, so "Best option: C" is the B
of Best. The phrases are its own, as its scores depend on them. (lmms-eval's Video-MME had the same; 0.7.3 ranks forms.)
"""

import re
from dataclasses import dataclass
from string import ascii_uppercase

from intpv.scorer.scorer import Asked, Score, Scorer

PHRASES = ("The best answer is", "The correct answer is", "The answer is", "The answer", "Answer:", "Option:")
GLUED = ("The best option isThe correct option is", "Best answer:Best option:")  # as the missing commas make them
FEWEST = 5  # letters that count, whatever the question's number of options


@dataclass(frozen=True)
class VLMEvalKit(Scorer):
    """A letter that the question does not have is wrong and invalid."""

    needs_options = True
    reads_letters = True

    def score(self, prediction: str, question: Asked) -> Score:
        named = first_capital(prediction, max(FEWEST, len(question.options)))
        place = ascii_uppercase.index(named) if named else len(question.options)
        if place >= len(question.options):
            return Score(correct=False, valid=False)
        return Score(correct=question.options[place] == question.answer, valid=True)


def first_capital(prediction: str, letters: int) -> str:
    """The letter that counts, "" for none.

    >>> first_capital("The answer is C", 5), first_capital("Best option: C", 5), first_capital("A man in red", 5)
    ('C', 'B', 'A')
    """
    text = prediction.strip()
    for phrase in (*PHRASES[:4], *GLUED, *PHRASES[4:]):
        text = text.replace(phrase, "")
    found = re.search(f"[{ascii_uppercase[:letters]}]", text)
    return found[0] if found else ""
