"""Tally: what is kept of a softmax over one set of keys, enough to know that over any union of such sets.

Sets are put together by their log-sum-exp, as attention itself is (arXiv 1805.02867): a set's share of the union is
exp(lse - lse of the union), and a mean over the union is the mean of the sets' means by their shares. All float32.
"""

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
    logits: Float[Tensor, "H R t"], start: int, mask: Bool[Tensor, "R t"] | None = None
) -> tuple[Tally, Float[Tensor, "H R t"]]:
    """The softmax over one block that begins at key `start` -> its tally, and the probabilities p, 0 where masked.

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


def expectation(p: Float[Tensor, "H R t"], x: Float[Tensor, "H R t"]) -> Float[Tensor, "H R"]:
    """E_p[x] over the keys."""
    return (p * x).sum(-1)


def shares(lse: Float[Tensor, "*rows G"]) -> Float[Tensor, "*rows G"]:
    """exp(lse - lse of the union): the mass of each set; all 0 for a row that sees nothing."""
    return lse.softmax(-1).masked_fill_((lse == -torch.inf).all(-1, keepdim=True), 0)


def union(sets: Tally) -> Tally:
    """The tally over all sets of the last dim together."""
    peak, which = sets.peak.max(-1)
    return Tally(
        lse=sets.lse.logsumexp(-1),
        mean_logit=(shares(sets.lse) * sets.mean_logit).sum(-1),
        peak=peak,
        top=sets.top.gather(-1, which.unsqueeze(-1)).squeeze(-1),
    )
