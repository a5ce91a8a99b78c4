"""Drift: how far a prefix lies from the ranges that it is quantised with, where those were calibrated beforehand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

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
