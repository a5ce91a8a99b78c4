"""Alternating: two ways of one thing timed in turn, so that what else the machine does falls on both."""

import os
import platform
import time
from collections.abc import Callable
from statistics import median

from intpv.record.environment import environment


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


def machine() -> dict:
    """What a measurement depends on beside the code: commit, versions that matter, device, cores."""
    known = environment(seed=0)
    packages = {name: known["packages"].get(name) for name in ("torch", "transformers", "lightning", "av")}
    kept = {key: known[key] for key in ("commit", "clean", "python", "device", "device_name")}
    return {**kept, "machine": platform.machine(), "cores": os.cpu_count(), "packages": packages}
