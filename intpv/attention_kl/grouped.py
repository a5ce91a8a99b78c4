"""Grouped KL: between models that saw different numbers of frames, on sets of keys that both have.

Masses are summed over sink, text, question and bins of time; KL on the sums is a lower bound of KL on single keys (data
processing), and it splits by the chain rule (Cover & Thomas, 2.5): KL = KL(video or not) + P(video) KL(bins within the
video) + P(not video) KL(kinds within the rest).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.divergence import Tally, shares, union
from intpv.attention_kl.key_groups import FIRST_FRAME, Bins, binned


class GroupedKL(NamedTuple):
    """Per row and head (H, R), in nats; `total` is the sum of the three parts."""

    total: Float[Tensor, "H R"]
    modality: Float[Tensor, "H R"]  # video against everything else
    within_video: Float[Tensor, "H R"]  # between the bins of time, weighted by the reference's mass on video
    within_text: Float[Tensor, "H R"]  # between sink, text and question, weighted by the rest of the mass
    lost_mass: Float[Tensor, "H R"]  # the reference's mass on groups of which the modified model has no key


def grouped_kl(reference: Float[Tensor, "H R K"], modified: Float[Tensor, "H R K"]) -> GroupedKL:
    """From both models' log-sum-exp per group: three kinds of text, then the bins. The mass of the reference on groups
    that the modified model lacks is reported, and left out of the divergences.
    """
    all_lse = reference.logsumexp(-1)
    p = reference.masked_fill(modified == -torch.inf, -torch.inf)
    lost = torch.where(all_lse != -torch.inf, 1 - (p.logsumexp(-1) - all_lse).exp(), 0).clamp(0, 1)
    halves = [(lse[..., :FIRST_FRAME], lse[..., FIRST_FRAME:]) for lse in (p, modified)]
    (p_text, p_video), (r_text, r_video) = halves
    p_kinds, r_kinds = (torch.stack([part.logsumexp(-1) for part in half], -1) for half in halves)
    on_text, on_video = shares(p_kinds).unbind(-1)
    parts = kl_of_sets(p_kinds, r_kinds), on_video * kl_of_sets(p_video, r_video), on_text * kl_of_sets(p_text, r_text)
    return GroupedKL(kl_of_sets(p, modified), *parts, lost)


def kl_of_sets(p: Float[Tensor, "*rows K"], r: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows"]:
    """KL between the masses that two sets of log-sum-exps stand for; a set without mass in the reference adds 0."""
    mass = shares(p)
    difference = (p - r).masked_fill(mass == 0, 0)
    kl = (mass * difference).sum(-1) - p.logsumexp(-1) + r.logsumexp(-1)
    return torch.where((p != -torch.inf).any(-1) & (r != -torch.inf).any(-1), kl, 0).clamp_min(0)


# One model: how evenly it spreads its attention, and over which part of the video's time; comparable at any length.


class OneModel(NamedTuple):
    """Of one layer, per row and head."""

    lse: Float[Tensor, "H R K"]  # of sink, text, question and the bins of time
    entropy: Float[Tensor, "H R"]  # nats, over all its keys

    @classmethod
    def of(cls, tallies: Tally, bins: Bins, count: int) -> "OneModel":
        """From the tallies per group, frames put together into `count` bins of time."""
        return cls(binned(tallies.lse, bins, count), union(tallies).entropy)

    @property
    def video_mass(self) -> Float[Tensor, "H R"]:
        return self._bins.sum(-1)

    @property
    def time_moment(self) -> Float[Tensor, "H R"]:
        """Sum of mass x time, time 0 in the first bin and 1 in the last; over `video_mass` it is the centroid."""
        return (self._bins * torch.linspace(0, 1, self._bins.shape[-1], device=self.lse.device)).sum(-1)

    @property
    def _bins(self) -> Float[Tensor, "H R B"]:
        return shares(self.lse)[..., FIRST_FRAME:]
