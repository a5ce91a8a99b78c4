"""Open answers: as exact, but articles, number words and what follows a yes or no are forgiven."""

import re
from dataclasses import dataclass

from intpv.scorer.scorer import Asked, Score, Scorer

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
ARTICLES = ("a", "an", "the")
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Lenient(Scorer):
    """For one-word benchmarks under models that answer in a few words. Synonyms are wrong: those take a judge."""

    def score(self, prediction: str, question: Asked) -> Score:
        said, answer = plain_words(prediction), plain_words(question.answer)
        if answer in (["yes"], ["no"]):  # "no, he is not"
            said = said[:1]
        return Score(correct=bool(answer) and said == answer, valid=bool(prediction.split()))


def plain_words(text: str) -> list[str]:
    """Words in lower case without articles, numbers up to ten as figures.

    >>> plain_words("The two dogs."), plain_words("2 dogs")
    (['2', 'dogs'], ['2', 'dogs'])
    """
    words = WORD.findall(text.lower())
    kept = [word for word in words if word not in ARTICLES] or words
    return [str(NUMBERS.index(word)) if word in NUMBERS else word for word in kept]
