"""Answers: what a modified model's answers lose beside its attention, since attention to keys cannot see the values."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.asking import Answer
from intpv.attention_kl.grouped import kl_of_sets
from intpv.attention_kl.listed import Listed
from intpv.scorer.scorer import Asked, Scorer

FLIPS = ("right_to_wrong", "wrong_to_right", "changed_wrong")
KL = "answer_kl"


def lost_answers(
    reference: Sequence[Answer], modified: Sequence[Answer], questions: Sequence[Asked], scorer: Scorer
) -> Listed:
    """`answer_kl` and the three flips of each question of a video, correct as the run's scorer has it."""

    def scored(answers: Sequence[Answer]) -> list[tuple[str, bool]]:
        pairs = zip(answers, questions, strict=True)
        return [(answer.text, scorer.score(answer.text, question).correct) for answer, question in pairs]

    first = [torch.stack([answer.logits for answer in of]) for of in (reference, modified)]
    return Listed.of({KL: answer_kl(*first), **flips(scored(reference), scored(modified))})


def answer_kl(
    reference: Float[Tensor, "*questions V"], modified: Float[Tensor, "*questions V"]
) -> Float[Tensor, "*questions"]:
    """KL in nats between the distributions of the answer's first token, from logits over the vocabulary."""
    return kl_of_sets(reference.double(), modified.double())


def flips(reference: Sequence[tuple[str, bool]], modified: Sequence[tuple[str, bool]]) -> dict[str, list[float]]:
    """Of (answer, correct) per question on both sides: which went from right to wrong, from wrong to right, from one
    wrong to another; 1 for those, 0 for the others.
    """
    pairs = list(zip(reference, modified, strict=True))
    return {
        "right_to_wrong": [float(right and not still) for (_, right), (_, still) in pairs],
        "wrong_to_right": [float(still and not right) for (_, right), (_, still) in pairs],
        "changed_wrong": [float(not right and not still and said != says) for (said, right), (says, still) in pairs],
    }


def answer_figures(lost: Listed, kl_under: str, flips_under: str) -> dict[str, float]:
    """`<kl_under>/answer_kl/{mean,median,p95,max}` over questions, `<flips_under>/<flip>` as shares of them."""
    kl = lost.values[KL]
    median, p95 = torch.quantile(kl, torch.tensor([0.5, 0.95], dtype=kl.dtype)).tolist()
    statistics = {"mean": float(kl.mean()), "median": median, "p95": p95, "max": float(kl.max())}
    return {
        **{f"{kl_under}/{KL}/{name}": value for name, value in statistics.items()},
        **{f"{flips_under}/{name}": float(lost.values[name].mean()) for name in FLIPS},
    }
