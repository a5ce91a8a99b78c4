"""Closed option sets: the prediction must be the answer; spelling of case, space and a final full stop is forgiven."""

from dataclasses import dataclass

from intpv.scorer.scorer import Asked, Score, Scorer

# not all of string.punctuation: "c++" and "c" may both be options
STOPS = ".,;:!?"


@dataclass(frozen=True)
class Options(Scorer):
    """Exact match after `normalised`; valid when the prediction is one of the options."""

    needs_options = True

    def score(self, prediction: str, question: Asked) -> Score:
        said = normalised(prediction)
        return Score(
            correct=said == normalised(question.answer),
            valid=said in {normalised(option) for option in question.options},
        )


def normalised(text: str) -> str:
    """Lower case, single spaces, no full stop or the like at the end; a text of nothing but stops stays as it is."""
    text = " ".join(text.lower().split())
    return text.rstrip(STOPS + " ") or text
