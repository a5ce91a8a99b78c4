"""A cell's metrics: what its answers say, and what the figures that each video left come to."""

from collections.abc import Callable, Mapping
from statistics import fmean

from intpv.metrics.accuracy import accuracy
from intpv.metrics.group_score import group_score
from intpv.metrics.interval import accuracy_interval, skill_interval
from intpv.metrics.judged import judged
from intpv.metrics.majority_floor import majority_floor
from intpv.metrics.sample import Samples, groups
from intpv.metrics.skill import skill
from intpv.metrics.timing import spread
from intpv.metrics.when import when
from intpv.record.samples import VideoMetrics

# Subsets: the same metrics of each regime alone, `slow/accuracy`, `fast/skill/count` and so on.


LABEL = "regime"  # lines without this label are in no subset


def by_regime(samples: Samples, measure: Callable[[Samples], dict[str, float]]) -> dict[str, float]:
    """`measure` of each value of the label, its names prefixed by the value.

    >>> lines = [{"labels": {"regime": "slow"}}, {"labels": {"regime": "fast"}}, {"labels": {"regime": "fast"}}]
    >>> by_regime(lines, lambda some: {"questions": float(len(some))})
    {'fast/questions': 2.0, 'slow/questions': 1.0}
    """
    subsets = groups(samples, lambda sample: sample["labels"].get(LABEL))
    return {f"{regime}/{name}": value for regime, lines in subsets.items() for name, value in measure(lines).items()}


# Summary: every metric that the lines of samples.jsonl alone can tell, overall and for each regime.


def summarise(samples: Samples) -> dict[str, float]:
    """Flat metrics by name, sorted; what is undefined is left out, never NaN. The same for any order of the lines.

    >>> line = {"video": "cat", "kind": "first", "options": [], "answer": "red", "labels": {}, "error": "no frames"}
    >>> {name: value for name, value in summarise([line]).items() if "/" not in name}
    {'accuracy': 0.0, 'coverage': 0.0, 'majority_floor': 1.0, 'questions': 1.0, 'videos': 1.0}
    """
    metrics = {**_measured(samples), **by_regime(samples, _measured)}
    return dict(sorted(metrics.items()))


def _measured(samples: Samples) -> dict[str, float]:
    size = {"questions": float(len(samples)), "videos": float(len({sample["video"] for sample in samples}))}
    rates = {**accuracy(samples), **accuracy_interval(samples), **skill(samples), **skill_interval(samples)}
    return {**size, **rates, **majority_floor(samples), **group_score(samples), **when(samples), **judged(samples)}


def cell_metrics(samples: Samples, figures: Mapping[str, VideoMetrics]) -> dict[str, float]:
    """Flat metrics of all answered questions; bytes and factors are per video, and exact where all videos agree.

    A figure is the mean over the videos that have it, of memory the most; seconds come with their spread.

    >>> line = {"kind": "first", "options": [], "answer": "red", "labels": {}, "error": "no frames"}
    >>> lines = [line | {"video": id} for id in "ab"]
    >>> figures = {"a": {"kv/bytes": 10.0, "memory/peak": 5.0}, "b": {"kv/bytes": 30.0, "memory/peak": 7.0}}
    >>> metrics = cell_metrics(lines, figures)
    >>> metrics["kv/bytes"], metrics["memory/peak"]
    (20.0, 7.0)
    """
    metrics = summarise(samples)
    watched = [figures[video] for video in {sample["video"] for sample in samples} if video in figures]
    for key in dict.fromkeys(key for one in watched for key in one):
        values = [one[key] for one in watched if key in one]
        together = max if key.startswith("memory/") else fmean
        metrics[key] = values[0] if len(set(values)) == 1 else together(values)
    return metrics | spread(watched)
