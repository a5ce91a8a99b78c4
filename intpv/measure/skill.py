"""Skill: where accuracy stands between the blind answer (0) and what the sampled frames can tell at most (1).

skill = (accuracy - blind) / (ceiling - blind), three means over the same questions: those that carry both bounds.
It is not clipped: below the blind answer it is negative, and luck can lift it above 1.

A question that could not be answered often has no ceiling, as no frame of it was seen. Leaving it out would reward
failing, so it counts as wrong, and the mean bounds of its fellows stand for its own.
"""

from math import fsum
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from intpv.measure.sample import Sample, Samples, groups, has_bounds, is_answered, is_correct, mean

SMALLEST_GAP = 0.01  # ceiling - blind; below it the frames tell nothing and the quotient is noise


def skill(samples: Samples) -> dict[str, float]:
    """`skill`, `skill/<kind>` and the means `ceiling` and `blind`; left out: skills without bounds or a gap."""
    bounded = [sample for sample in samples if has_bounds(sample)]
    if not bounded:
        return {}
    metrics = {key: mean([sample[key] for sample in bounded]) for key in ("ceiling", "blind")}
    lines = rated(samples)
    by_kind = {f"skill/{kind}": some for kind, some in groups(lines, itemgetter("kind")).items()}
    for name, some in {"skill": lines, **by_kind}.items():
        value = float(quotient(np.array([fsum(term) for term in zip(*map(terms, some), strict=True)])))
        if np.isfinite(value):
            metrics[name] = value
    return metrics


def rated(samples: Samples) -> list[Sample]:
    """The lines with bounds, and the failed ones of their kinds."""
    kinds = {sample["kind"] for sample in samples if has_bounds(sample)}
    return [one for one in samples if has_bounds(one) or (not is_answered(one) and one["kind"] in kinds)]


def terms(sample: Sample) -> tuple[float | int, ...]:
    """What a question adds to the five sums that skill is a quotient of."""
    bounds = (sample["ceiling"], sample["blind"], 1) if has_bounds(sample) else (0, 0, 0)
    return is_correct(sample), 1, *bounds


def quotient(sums: NDArray) -> NDArray:
    """(..., 5) sums -> (...) skill; NaN where the gap is below SMALLEST_GAP or no question has bounds."""
    correct, asked, ceiling, blind, bounded = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (ceiling - blind) / bounded
        return np.where(gap >= SMALLEST_GAP, (correct / asked - blind / bounded) / gap, np.nan)
