"""Alternating: two ways of one thing timed in turn, so that what else the machine does falls on both."""

import time
from collections.abc import Callable
from statistics import median


def alternate(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> dict:
    """Seconds of both, median and extremes, and the ratio theirs / ours of each round: its median and extremes."""
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(rounds):
        both = [("ours", ours), ("theirs", theirs)]
        for name, run in both if number % 2 == 0 else reversed(both):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    ratios = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds["theirs"], strict=True)]
    return {**{f"{name}_s": spread(values) for name, values in seconds.items()}, "ratio": spread(ratios)}


def spread(values: list[float]) -> dict[str, float | int]:
    """Median, least, most and how many."""
    return {"median": median(values), "min": min(values), "max": max(values), "rounds": len(values)}
