"""Static grids: S and Z of Eq 3.7 (arXiv 2409.12963) from calibrated ranges instead of the prefix' own.

One grid per layer (tensor) or per layer, head and channel (channel), for prefixes of any length; what lies outside
takes the grid's nearest end. The range is the calibrated least to largest number, about its middle times a multiplier;
with a clip the grid of least squared error under the calibrated histogram is searched for inside it, as the dynamic
ones are under the numbers themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.calibration import Statistics
from intpv.kv_quant.quantiser import grid, search

# Drift: how far a prefix lies from the ranges that it is quantised with, where those were calibrated beforehand.


CLIPPED = 0.02  # share; on the mini model 40 clips left a range of 16 others with 0.002 of their numbers, one with 0.01
WASTED = 0.25  # of the range in use; below it two bits of every code say nothing


@dataclass(frozen=True)
class Drift:
    """Of one prefix, or of one side of one of its layers."""

    clipped: float  # share of its numbers that the grid did not reach
    range_ratio: float  # measured over calibrated range, mean over groups; the multiplier is no part of it
    elements: int

    @classmethod
    def over(cls, sides: Sequence["Drift"]) -> "Drift":
        """Of all sides and layers: clipped by number, ratios by side and layer."""
        elements = sum(side.elements for side in sides)
        ratios = [side.range_ratio for side in sides if math.isfinite(side.range_ratio)]
        return cls(
            sum(side.clipped * side.elements for side in sides) / elements, fmean(ratios) if ratios else 1.0, elements
        )

    @property
    def is_large(self) -> bool:
        """The paper's break condition: too narrow a range, or one too wide."""
        return self.clipped > CLIPPED or self.range_ratio < WASTED

    def figures(self) -> dict[str, float]:
        """As they stand in a cell's metrics."""
        return {"kv/clipped_fraction": self.clipped, "kv/range_ratio": self.range_ratio}

    def __str__(self) -> str:
        return f"{self.clipped:.2%} of numbers clipped, their range {self.range_ratio:.2f} of the calibrated one"


METADATA = torch.float16


@dataclass(frozen=True)
class StaticGrid:
    """Of one side of one layer; each tensor (1, 1, 1) or (H_kv, 1, d)."""

    scale: Float[Tensor, "a b c"]
    zero: Float[Tensor, "a b c"]
    width: Float[Tensor, "a b c"]  # of the calibrated range, before the multiplier

    def to(self, device: torch.device) -> "StaticGrid":
        return StaticGrid(*(x.to(device) for x in (self.scale, self.zero, self.width)))

    def drift(self, x: Float[Tensor, "H_kv t d"], bits: int) -> Drift:
        """Of the numbers that are quantised, in the coordinates that they are quantised in."""
        low = self.zero.float()
        top = low + (2**bits - 1) * self.scale.float()
        clipped = ((x < low) | (x > top)).float().mean().item()
        axes = (1,) if self.width.numel() > 1 else (0, 1, 2)
        measured = x.amax(axes, keepdim=True) - x.amin(axes, keepdim=True)
        ratio = (measured / self.width)[self.width > 0]  # a constant channel has no range to be measured in
        return Drift(clipped, ratio.mean().item(), x.numel())


def static_grids(
    statistics: Statistics, granularity: str, bits: int, multiplier: float, clip: float, scale: float
) -> list[StaticGrid]:
    """One per layer of `statistics` (L, H_kv, d); `scale` is what all numbers are multiplied by since.

    BadInput for ranges that float16 cannot hold.
    """
    histogram = statistics.histogram
    numbers = (statistics.low, statistics.high, histogram.centres().float(), histogram.counts.float())
    low, high, centres, counts = numbers
    grids = []
    for one in zip(low * scale, high * scale, centres * scale, counts, strict=True):
        grids.append(_grid(*_grouped(granularity, *one), bits, multiplier, clip))
    return grids


def _grouped(
    granularity: str, low: Tensor, high: Tensor, centres: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ranges (a, 1, c, 1) and the histogram's members (a, 1, c, g)."""
    if granularity == "tensor":
        low, high = low.amin().view(1, 1, 1, 1), high.amax().view(1, 1, 1, 1)
        return low, high, centres.reshape(1, 1, 1, -1), counts.reshape(1, 1, 1, -1)
    low, high = rearrange(low, "h d -> h 1 d 1"), rearrange(high, "h d -> h 1 d 1")
    return low, high, centres.unsqueeze(1), counts.unsqueeze(1)


def _grid(
    low: Tensor, high: Tensor, members: Tensor, weight: Tensor, bits: int, multiplier: float, clip: float
) -> StaticGrid:
    middle, half = (low + high) / 2, (high - low) / 2 * multiplier
    # at 1 exactly the calibrated ends: the middle plus half of the range may round past them
    least, most = (low, high) if multiplier == 1 else (middle - half, middle + half)
    largest, limit = torch.maximum(-least, most).amax().item(), torch.finfo(METADATA).max
    if not largest <= limit:
        raise BadInput(f"calibrated ranges must end within {limit:g} to be stored as {METADATA}, got {largest:g}")
    wide = grid(least, most, bits, METADATA)
    scale, zero = search(members, least, most, bits, clip, METADATA, weight) if clip < 1 else wide
    return StaticGrid(*(x.squeeze(-1).clone() for x in (scale, zero, high - low)))
