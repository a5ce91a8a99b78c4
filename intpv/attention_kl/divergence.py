"""Tally: what is kept of a softmax over one set of keys, enough to know that over any union of such sets.

Sets are put together by their log-sum-exp, as attention itself is (arXiv 1805.02867): a set's share of the union is
exp(lse - lse of the union), and a mean over the union is the mean of the sets' means by their shares. All float32.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Tally(NamedTuple):
    """Per row and head (H, R), or with one more dim for sets of keys (H, R, G). A row that sees none: lse -inf, 0."""

    lse: Float[Tensor, "*rows"]  # nats
    mean_logit: Float[Tensor, "*rows"]  # E_p[logit]
    peak: Float[Tensor, "*rows"]  # the largest logit
    top: Int[Tensor, "*rows"]  # where it is: index of the key

    @property
    def visible(self) -> Bool[Tensor, "*rows"]:
        """Whether the row sees a key of the set at all."""
        return self.lse != -torch.inf  # true for NaN: broken logits must not pass for a row that sees nothing

    @property
    def entropy(self) -> Float[Tensor, "*rows"]:
        """LSE - E_p[logit] in nats; 0 where nothing is seen."""
        return torch.where(self.visible, self.lse - self.mean_logit, 0).clamp_min(0)


def tally(
    logits: Float[Tensor, "*rows t"], start: int | Int[Tensor, " G"], mask: Bool[Tensor, "..."] | None = None
) -> tuple[Tally, Float[Tensor, "*rows t"]]:
    """The softmax over one block that begins at key `start` -> its tally, and the probabilities p, 0 where masked.
    Of several sets of keys at once, (H, R, G, t), each is told where it begins.

    Logits stay finite under the mask: it is the weights that it sets to 0, so nothing is ever -inf - (-inf).
    """
    peak, top = (logits if mask is None else logits.masked_fill(~mask, -torch.inf)).max(-1)
    floor = peak.clamp_min(torch.finfo(logits.dtype).min)
    p = torch.sub(logits, floor.unsqueeze(-1)).exp_()
    if mask is not None:
        p.masked_fill_(~mask, 0)
    total = p.sum(-1)  # at least 1, the peak's own, or 0 if the row sees nothing
    p.div_(total.clamp_min(1).unsqueeze(-1))
    return Tally(floor + total.log(), expectation(p, logits), peak, top + start), p


def unseen(like: Float[Tensor, "*rows"]) -> Tally:
    """The tally over no keys at all."""
    zero, none = torch.zeros_like(like), torch.full_like(like, -torch.inf)
    return Tally(none, zero, none, torch.full_like(like, -1, dtype=torch.long))


def expectation(p: Float[Tensor, "*rows t"], x: Float[Tensor, "*rows t"]) -> Float[Tensor, "*rows"]:
    """E_p[x] over the keys."""
    return (p * x).sum(-1)


def shares(lse: Float[Tensor, "*rows G"]) -> Float[Tensor, "*rows G"]:
    """exp(lse - lse of the union): the mass of each set; all 0 for a row that sees nothing."""
    return lse.softmax(-1).masked_fill_((lse == -torch.inf).all(-1, keepdim=True), 0)


def union(sets: Tally, keepdim: bool = False) -> Tally:
    """The tally over all sets of the last dim together."""
    peak, which = sets.peak.max(-1, keepdim=True)
    whole = Tally(
        lse=sets.lse.logsumexp(-1, keepdim=True),
        mean_logit=(shares(sets.lse) * sets.mean_logit).sum(-1, keepdim=True),
        peak=peak,
        top=sets.top.gather(-1, which),
    )
    return whole if keepdim else Tally(*(part.squeeze(-1) for part in whole))


# Pair: reference and modified over the same keys, and the divergences between them.
#
# With s the reference's logits, t the modified ones, p = softmax(s) and r = softmax(t) over the same keys:
# KL(p || r) = E_p[s - t] - LSE(s) + LSE(t), which has no logarithm of a probability in it and so no 0 log 0.


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


def beside(pairs: list[Pair]) -> Pair:
    """Sets of (H, R, G) each, one after the other."""
    return _each(lambda *tensors: torch.cat(tensors, -1), *pairs)


def chosen(pair: Pair, sets: slice) -> Pair:
    """Some of the sets of (H, R, G)."""
    return _each(lambda tensor: tensor[..., sets], pair)


def joined(pair: Pair, keepdim: bool = False) -> Pair:
    """The pair over all sets of the last dim together."""
    gap = (shares(pair.kept) * pair.gap).sum(-1, keepdim=keepdim)
    unions = union(pair.reference, keepdim), union(pair.modified, keepdim)
    return Pair(*unions, pair.kept.logsumexp(-1, keepdim=keepdim), gap)


def _each(change: Callable[..., Tensor], *pairs: Pair) -> Pair:
    """`change` applied field by field, to the same field of all pairs at once."""
    reference, modified, kept, gap = zip(*pairs, strict=True)
    return Pair(Tally(*map(change, *reference)), Tally(*map(change, *modified)), change(*kept), change(*gap))
