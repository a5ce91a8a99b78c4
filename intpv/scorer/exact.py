"""Open answers: the prediction must be the answer, but for case, space and a final full stop."""

from dataclasses import dataclass

from intpv.scorer.options import normalised
from intpv.scorer.scorer import Asked, Score, Scorer


@dataclass(frozen=True)
class Exact(Scorer):
    """Valid is any words; an answer that nobody wrote down is never given."""

    def score(self, prediction: str, question: Asked) -> Score:
        answer = normalised(question.answer)
        return Score(correct=bool(answer) and normalised(prediction) == answer, valid=bool(prediction.split()))
