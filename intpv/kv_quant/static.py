"""Static grids: S and Z of Eq 3.7 (arXiv 2409.12963) from calibrated ranges instead of the prefix' own.

One grid per layer (tensor) or per layer, head and channel (channel), for prefixes of any length; what lies outside
takes the grid's nearest end. The range is the calibrated least to largest number, about its middle times a multiplier;
with a clip the grid of least squared error under the calibrated histogram is searched for inside it, as the dynamic
ones are under the numbers themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.affine import grid
from intpv.kv_quant.clip import search
from intpv.kv_quant.drift import Drift
from intpv.kv_quant.statistics import Statistics

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


def _grouped(granularity: str, low: Tensor, high: Tensor, centres: Tensor, counts: Tensor) -> Sequence[Tensor]:
    """Ranges (a, 1, c, 1) and the histogram's members (a, 1, c, g)."""
    if granularity == "tensor":
        each = low.amin().view(1, 1, 1, 1), high.amax().view(1, 1, 1, 1)
        return *each, *(x.reshape(1, 1, 1, -1) for x in (centres, counts))
    return *(rearrange(x, "h d -> h 1 d 1") for x in (low, high)), *(x.unsqueeze(1) for x in (centres, counts))


def _grid(low, high, members, weight, bits: int, multiplier: float, clip: float) -> StaticGrid:
    middle, half = (low + high) / 2, (high - low) / 2 * multiplier
    # at 1 exactly the calibrated ends: the middle plus half of the range may round past them
    least, most = (low, high) if multiplier == 1 else (middle - half, middle + half)
    largest, limit = torch.maximum(-least, most).amax().item(), torch.finfo(METADATA).max
    if not largest <= limit:
        raise BadInput(f"calibrated ranges must end within {limit:g} to be stored as {METADATA}, got {largest:g}")
    wide = grid(least, most, bits, METADATA)
    scale, zero = search(members, least, most, bits, clip, METADATA, weight) if clip < 1 else wide
    return StaticGrid(*(x.squeeze(-1).clone() for x in (scale, zero, high - low)))
