"""A cell's metrics: what its answers say (summary.py), and what the figures that each video left come to."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from intpv.measure.summary import summarise
from intpv.measure.timing import spread


def cell_metrics(samples: Sequence[Mapping], figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Flat metrics of all answered questions; bytes and factors are per video, and exact where all videos agree.

    A figure is the mean over the videos that have it, of memory the most; seconds come with their spread.
    """
    metrics = summarise(samples)
    watched = [figures[video] for video in {sample["video"] for sample in samples} if video in figures]
    for key in dict.fromkeys(key for one in watched for key in one):
        values = [one[key] for one in watched if key in one]
        together = max if key.startswith("memory/") else fmean
        metrics[key] = values[0] if len(set(values)) == 1 else together(values)
    return metrics | spread(watched)
