"""Timing: how the seconds of the parts of watch and ask spread over a cell's videos.

decode, encode, prefill, pack, ask follow each other. rearrange is a part of two of them: splitting frames into groups
belongs to encode, merging tokens to prefill. first_token, from the questions to the answers' first tokens, and
per_token, one step more for a portion of the answers, are parts of ask; watch = encode + prefill + pack.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from intpv.record.samples import VideoMetrics

QUANTILES = {"median": 0.5, "p05": 0.05, "p95": 0.95}


def answering(laps: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """`first_token_s`, and `per_token_s` where an answer has a second one: the mean of this video's steps.

    >>> answering({"first_token": [0.25, 0.5], "next_token": [0.125, 0.375]})  # seconds
    {'first_token_s': 0.75, 'per_token_s': 0.25}
    """
    named = {"first_token_s": sum(laps["first_token"])}
    return named | ({"per_token_s": fmean(laps["next_token"])} if "next_token" in laps else {})


def spread(figures: Sequence[VideoMetrics]) -> dict[str, float]:
    """Figures of each video -> `time/<part>_s/{median,p05,p95}` over the videos that have it; means are elsewhere.

    >>> spread([{"time/ask_s": float(seconds)} for seconds in range(21)])
    {'time/ask_s/median': 10.0, 'time/ask_s/p05': 1.0, 'time/ask_s/p95': 19.0}
    """
    parts = sorted({key for one in figures for key in one if key.startswith("time/")})
    named: dict[str, float] = {}
    for part in parts:
        values = np.quantile([one[part] for one in figures if part in one], list(QUANTILES.values()))
        named |= {f"{part}/{name}": float(value) for name, value in zip(QUANTILES, values, strict=True)}
    return named
