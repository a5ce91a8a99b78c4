"""Answers: what a modified model's answers lose beside its attention, since attention to keys cannot see the values."""

from collections import Counter
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.grouped import kl_of_sets

FLIPS = ("right_to_wrong", "wrong_to_right", "changed_wrong")


def answer_kl(
    reference: Float[Tensor, "*questions V"], modified: Float[Tensor, "*questions V"]
) -> Float[Tensor, "*questions"]:
    """KL in nats between the distributions of the answer's first token, from logits over the vocabulary."""
    return kl_of_sets(reference.double(), modified.double())


def flips(reference: Sequence[tuple[str, bool]], modified: Sequence[tuple[str, bool]]) -> dict[str, float]:
    """Of (answer, correct) per question on both sides: share of right to wrong, of wrong to right, of wrong to another
    wrong. Empty for no questions.
    """
    found: Counter[str] = Counter()
    for (said, right), (says, still) in zip(reference, modified, strict=True):
        if right != still:
            found["right_to_wrong" if right else "wrong_to_right"] += 1
        elif not right and said != says:
            found["changed_wrong"] += 1
    return {name: found[name] / len(reference) for name in FLIPS} if reference else {}
