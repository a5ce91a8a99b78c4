"""One model: how evenly it spreads its attention, and over which part of the video's time; comparable at any length."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.key_groups import FIRST_FRAME
from intpv.attention_kl.tally import Tally, shares, union
from intpv.attention_kl.time_bins import Bins, binned


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
