"""A cell's metrics: what its answers say (summary.py), and means of the figures that each video left."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from intpv.measure.summary import summarise


def cell_metrics(samples: Sequence[Mapping], figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Flat metrics of all answered questions; bytes and factors are per video, and exact where all videos agree."""
    metrics = summarise(samples)
    watched = [figures[video] for video in {sample["video"] for sample in samples} if video in figures]
    for key in watched[0] if watched else ():
        values = [one[key] for one in watched]
        metrics[key] = values[0] if len(set(values)) == 1 else fmean(values)
    return metrics
