"""Significance of a paired difference: McNemar's exact test, sign flips of whole videos, Holm's adjustment."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from intpv.metrics.interval import SEED

FLIPS = 9999  # drawn sign flips; all of them where no more than EXACT videos differ
EXACT = 12
ROUNDING = 1e-9


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p (McNemar 1947): were the two alike, each answer that one alone has right would be a coin toss.

    It takes questions for independent. Where a video's answers change together p is too small: go by `sign_flip` then.

    >>> mcnemar(gained=0, lost=5)  # 2 / 2^5
    0.0625
    """
    return float(min(1.0, 2 * bdtr(min(gained, lost), gained + lost, 0.5))) if gained + lost else 1.0


def sign_flip(net: NDArray) -> float:
    """Two-sided p: were the two alike, what a video's answers gained in all would as likely have the other sign.

    net: (videos,) gained minus lost; a video with 0 says nothing. The observed signs count as a draw, so p is never 0.

    >>> sign_flip(np.array([1.0, 2.0, 0.0, 1.0]))  # 2 of 2^3 are as far from 0
    0.25
    """
    moved = net[np.abs(net) > ROUNDING]
    reached = np.abs(_signs(len(moved)) @ moved) >= abs(moved.sum()) - ROUNDING
    drawn = len(moved) > EXACT
    return float((reached.sum() + drawn) / (len(reached) + drawn))


@lru_cache(maxsize=8)  # cells of a sweep differ from each other in about as many videos
def _signs(videos: int) -> NDArray:
    """(flips, videos) of 1 and -1."""
    if videos > EXACT:
        return np.random.default_rng(SEED).choice((-1.0, 1.0), (FLIPS, videos))
    return 1.0 - 2.0 * (np.arange(2**videos)[:, None] >> np.arange(videos) & 1)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the same order (Holm, A simple sequentially rejective multiple test procedure, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    steps = np.array(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted.tolist()
