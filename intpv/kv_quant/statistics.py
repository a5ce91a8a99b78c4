"""Statistics of channels over tokens, in memory that does not grow with them: count, range, moments and a histogram."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.histogram import Histogram


@dataclass(frozen=True)
class Statistics:
    """Of `count` numbers of every channel. Pieces that are merged say what the whole would."""

    count: int
    low: Float[Tensor, "*channels"]
    high: Float[Tensor, "*channels"]
    mean: Float[Tensor, "*channels"]
    variance: Float[Tensor, "*channels"]  # second central moment: mean of squared deviations
    histogram: Histogram

    @classmethod
    def of(cls, x: Float[Tensor, "*channels n"], bins: int) -> "Statistics":
        """BadInput for what is not finite: one NaN would be the range of its channel for good."""
        low, high = x.aminmax(dim=-1)
        if not (low.isfinite() & high.isfinite()).all():
            wrong = torch.stack([low, high])
            raise BadInput(f"keys and values must be finite to calibrate on, got {wrong[~wrong.isfinite()][0].item()}")
        exact = x.double()
        mean, variance = exact.mean(-1), exact.var(-1, correction=0)
        return cls(x.shape[-1], low.float(), high.float(), mean, variance, Histogram.of(x, bins))

    def merge(self, other: "Statistics") -> "Statistics":
        """Of the numbers of both; moments by Chan's update, which subtracts no large numbers from one another."""
        count = self.count + other.count
        share, apart = other.count / count, other.mean - self.mean
        low, high = torch.minimum(self.low, other.low), torch.maximum(self.high, other.high)
        within = self.variance + (other.variance - self.variance) * share
        return Statistics(
            count,
            low,
            high,
            self.mean + apart * share,
            within + apart.square() * (share * (1 - share)),
            self.histogram.merge(other.histogram, low, high),
        )
