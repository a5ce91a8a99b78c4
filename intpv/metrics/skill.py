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

from intpv.metrics.sample import Samples, groups, is_answered, is_correct, mean, score_bounds
from intpv.record.samples import Sample

SMALLEST_GAP = 0.01  # ceiling - blind; below it the frames tell nothing and the quotient is noise


def skill(samples: Samples) -> dict[str, float]:
    """`skill`, `skill/<kind>` and the means `ceiling` and `blind`; left out: skills without bounds or a gap.

    >>> line = {"kind": "count", "error": None, "blind": 0.25, "ceiling": 0.75}
    >>> skill([line | {"correct": True}, line | {"correct": False}])  # (0.5 - 0.25) / (0.75 - 0.25)
    {'ceiling': 0.75, 'blind': 0.25, 'skill': 0.5, 'skill/count': 0.5}
    """
    bounds = [known for sample in samples if (known := score_bounds(sample))]
    if not bounds:
        return {}
    metrics = {name: mean(scores) for name, scores in zip(("ceiling", "blind"), zip(*bounds, strict=True), strict=True)}
    lines = rated(samples)
    by_kind = {f"skill/{kind}": some for kind, some in groups(lines, itemgetter("kind")).items()}
    for name, some in {"skill": lines, **by_kind}.items():
        value = float(quotient(np.array([fsum(term) for term in zip(*map(terms, some), strict=True)])))
        if np.isfinite(value):
            metrics[name] = value
    return metrics


def rated(samples: Samples) -> list[Sample]:
    """The lines with bounds, and the failed ones of their kinds.

    >>> bounded = {"kind": "count", "error": None, "blind": 0.25, "ceiling": 0.75}
    >>> failed = [{"kind": kind, "error": "no frames"} for kind in ("count", "open")]
    >>> [line["kind"] for line in rated([bounded, *failed])]
    ['count', 'count']
    """
    kinds = {sample["kind"] for sample in samples if score_bounds(sample)}
    return [one for one in samples if score_bounds(one) or (not is_answered(one) and one["kind"] in kinds)]


def terms(sample: Sample) -> tuple[float | int, ...]:
    """What a question adds to the five sums that skill is a quotient of.

    >>> terms({"error": None, "correct": True, "ceiling": 0.75, "blind": 0.25})
    (True, 1, 0.75, 0.25, 1)
    """
    known = score_bounds(sample)
    return is_correct(sample), 1, *((*known, 1) if known else (0, 0, 0))


def quotient(sums: NDArray) -> NDArray:
    """(..., 5) sums -> (...) skill; NaN where the gap is below SMALLEST_GAP or no question has bounds.

    >>> quotient(np.array([[1, 2, 1.5, 0.5, 2], [1, 2, 1.0, 1.0, 2]])).tolist()  # 1 of 2 right; gaps 0.5 and 0
    [0.5, nan]
    """
    correct, asked, ceiling, blind, bounded = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (ceiling - blind) / bounded
        return np.where(gap >= SMALLEST_GAP, (correct / asked - blind / bounded) / gap, np.nan)
