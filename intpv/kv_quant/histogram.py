"""Histogram: counts per channel in bins that are a power of two wide, so that it never has to know the range before.

Bins lie at whole multiples of their width. Where new numbers reach beyond them the width is doubled, which joins bins
two by two and moves no count across an edge: the result depends on the numbers alone, not on the order or the pieces
they came in.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

FINEST = 24  # binary places below the largest number that a bin is ever wide
SMALLEST = -100  # exponent of numbers told apart from 0


@dataclass(frozen=True)
class Histogram:
    """Bin j of a channel holds what is in [(first + j) * 2^exponent, (first + j + 1) * 2^exponent)."""

    counts: Int[Tensor, "*channels bins"]
    exponent: Int[Tensor, "*channels"]
    first: Int[Tensor, "*channels"]

    @classmethod
    def of(cls, x: Float[Tensor, "*channels n"], bins: int) -> "Histogram":
        """Of finite numbers, at least one; between bins / 2 and `bins` of the bins are used, but for constants."""
        x = x.double()
        low, high = x.aminmax(dim=-1)
        exponent, first = _place(low, high, bins)
        index = _bin(x, exponent.unsqueeze(-1)) - first.unsqueeze(-1)
        counts = torch.zeros(*low.shape, bins, dtype=torch.long, device=x.device)
        return cls(counts.scatter_add_(-1, index, torch.ones_like(index)), exponent, first)

    def merge(
        self, other: "Histogram", low: Float[Tensor, "*channels"], high: Float[Tensor, "*channels"]
    ) -> "Histogram":
        """Of the numbers of both, whose least and largest are `low` and `high`."""
        exponent, first = _place(low.double(), high.double(), self.counts.shape[-1])
        return Histogram(self._moved(exponent, first) + other._moved(exponent, first), exponent, first)

    def centres(self) -> Float[Tensor, "*channels bins"]:
        """The middle of every bin."""
        steps = torch.arange(self.counts.shape[-1], device=self.first.device) + 0.5
        return (self.first.unsqueeze(-1) + steps.double()) * _power(self.exponent).unsqueeze(-1)

    def _moved(self, exponent: Tensor, first: Tensor) -> Tensor:
        """The counts in wider bins."""
        index = self.first.unsqueeze(-1) + torch.arange(self.counts.shape[-1], device=first.device)
        index = (index >> (exponent - self.exponent).unsqueeze(-1)) - first.unsqueeze(-1)
        kept = self.counts > 0  # bins that nothing fell into may lie outside
        index = torch.where(kept, index, 0)
        return torch.zeros_like(self.counts).scatter_add_(-1, index, self.counts)


def _place(low: Tensor, high: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Exponent and first bin: the narrowest bins of which `bins` reach from low to high; wider for a wider range."""
    largest = torch.maximum(low.abs(), high.abs())
    finest = torch.where(largest > 0, largest.frexp().exponent.long(), SMALLEST).clamp_(min=SMALLEST) - FINEST
    exponent = torch.maximum(((high - low) / bins).frexp().exponent.long() - 2, finest)  # not wide enough yet, or just
    exponent = torch.where(high > low, exponent, finest)
    while (short := _bin(high, exponent) - _bin(low, exponent) >= bins).any():
        exponent = exponent + short.long()
    return exponent, _bin(low, exponent)


def _bin(x: Tensor, exponent: Tensor) -> Tensor:
    return (x * _power(-exponent)).floor().long()


def _power(exponent: Tensor) -> Tensor:
    """2^exponent, written into the bits of a float64: pow may be off in the last place, and edges would move."""
    return ((exponent + 1023) << 52).view(torch.float64)
