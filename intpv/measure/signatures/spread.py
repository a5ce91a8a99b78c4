"""Spread: how far a cell's mean must lie from the baseline's to be a signature, in the baseline's own spread.

One standard deviation over videos: the typical video then stands where five in six of the baseline's do not. Three,
as for a single video, would miss a cell that answers no better than blind. With few videos it is more: so much that the
baseline on as many fresh videos would exceed it once in a hundred times (Student's t).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import t

DEVIATIONS = 1  # standard deviations of the baseline over its videos
CHANCE = 0.01  # that fresh videos of the baseline do
ROUNDING = 1e-6  # what differs by no more is the same figure


@dataclass(frozen=True)
class Verdict:
    """A cell's figure (mean over its videos) beside the same videos' at the trained length."""

    value: float
    baseline: float
    threshold: float | None  # None: one video has no spread
    fires: bool

    def named(self, name: str) -> dict[str, float]:
        """`signature/<name>` (0 or 1, with `/threshold` where there is one), `/value`, `/baseline`."""
        found = {f"signature/{name}/value": self.value, f"signature/{name}/baseline": self.baseline}
        if self.threshold is not None:
            found |= {f"signature/{name}": float(self.fires), f"signature/{name}/threshold": self.threshold}
        return found


def too_high(run: Sequence[float], baseline: Sequence[float], allowance: float = 0.0) -> Verdict:
    """Fires when the run's mean is over the baseline's by more than its spread and `allowance`."""
    value, usual, threshold = _threshold(run, baseline, 1, allowance)
    return Verdict(value, usual, threshold, threshold is not None and value > threshold + ROUNDING)


def too_low(run: Sequence[float], baseline: Sequence[float], allowance: float = 0.0) -> Verdict:
    """Fires when the run's mean is under the baseline's by more than its spread and `allowance`."""
    value, usual, threshold = _threshold(run, baseline, -1, allowance)
    return Verdict(value, usual, threshold, threshold is not None and value < threshold - ROUNDING)


def moved(run: Sequence[float], baseline: Sequence[float]) -> Verdict:
    """Fires when the run's mean is too far off on either side; the threshold is that of its side."""
    return (too_high if fmean(run) >= fmean(baseline) else too_low)(run, baseline)


def _threshold(run, baseline, side: int, allowance: float) -> tuple[float, float, float | None]:
    value, usual = fmean(run), fmean(baseline)
    if len(baseline) < 2:
        return value, usual, None
    by_chance = float(t.ppf(1 - CHANCE, len(baseline) - 1)) * (2 / len(baseline)) ** 0.5
    spread = stdev(baseline) * max(DEVIATIONS, by_chance)
    return value, usual, usual + side * (spread + allowance)
