"""Pair: reference and modified over the same keys, and the divergences between them.

With s the reference's logits, t the modified ones, p = softmax(s) and r = softmax(t) over the same keys:
KL(p || r) = E_p[s - t] - LSE(s) + LSE(t), which has no logarithm of a probability in it and so no 0 log 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from intpv.attention_kl.tally import Tally, shares, union


class Pair(NamedTuple):
    """Per row and head (H, R), or with one more dim for sets of keys (H, R, G).

    `kept` and `gap` are over the keys that the modified model still has; without pruning those are all.
    """

    reference: Tally
    modified: Tally
    kept: Float[Tensor, "*rows"]  # LSE of the reference over the kept keys
    gap: Float[Tensor, "*rows"]  # E_p[s - t] over the kept keys

    @property
    def comparable(self) -> Bool[Tensor, "*rows"]:
        """Whether both see a key of the set; where not, every divergence is 0 by definition."""
        return (self.kept != -torch.inf) & self.modified.visible

    @property
    def kl(self) -> Float[Tensor, "*rows"]:
        """KL(reference || modified) in nats on the kept keys, the reference renormalised to them.

        Rounding can take it below 0, where no divergence is: clamped.
        """
        return torch.where(self.comparable, self.gap - self.kept + self.modified.lse, 0).clamp_min(0)

    @property
    def lost_mass(self) -> Float[Tensor, "*rows"]:
        """The reference's mass on keys that the modified model lacks, 0 to 1."""
        kept = (self.kept - self.reference.lse).exp().clamp(0, 1)
        return torch.where(self.reference.visible, 1 - kept, 0)

    @property
    def top1_agrees(self) -> Bool[Tensor, "*rows"]:
        """Whether the same key has the largest logit."""
        return self.comparable & (self.reference.top == self.modified.top)


def stacked(pairs: list[Pair]) -> Pair:
    """(H, R) each -> (H, R, G)."""
    return _each(lambda *tensors: torch.stack(tensors, -1), *pairs)


def chosen(pair: Pair, sets: slice) -> Pair:
    """Some of the sets of (H, R, G)."""
    return _each(lambda tensor: tensor[..., sets], pair)


def joined(pair: Pair) -> Pair:
    """The pair over all sets of the last dim together."""
    gap = (shares(pair.kept) * pair.gap).sum(-1)
    return Pair(union(pair.reference), union(pair.modified), pair.kept.logsumexp(-1), gap)


def _each(change: Callable[..., Tensor], *pairs: Pair) -> Pair:
    """`change` applied field by field, to the same field of all pairs at once."""
    reference, modified, kept, gap = zip(*pairs, strict=True)
    return Pair(Tally(*map(change, *reference)), Tally(*map(change, *modified)), change(*kept), change(*gap))
