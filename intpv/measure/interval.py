"""95 % intervals by a bootstrap over videos (percentile method; Efron & Tibshirani 1993, chapter 13).

Questions of one video stand or fall together: drawing questions one by one would give intervals too narrow, so whole
videos are drawn. A metric that is a quotient of sums needs only each video's sums, and a resample is a matrix product.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import fsum
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from intpv.measure.sample import Sample, Samples, groups, is_correct
from intpv.measure.skill import quotient, rated, terms

RESAMPLES = 2000
SEED = 0  # of the draw of videos; every cell of a sweep draws the same ones
TAIL = 0.025

Terms = Callable[[Sample], Sequence[float | int]]  # what a question adds to its video's sums
Statistic = Callable[[NDArray], NDArray]  # (..., sums) -> (...); NaN where it is not defined


def accuracy_interval(samples: Samples, resamples: int = RESAMPLES) -> dict[str, float]:
    """`accuracy_ci95_low` and `_high`; left out with fewer than two videos."""
    sums = video_sums(samples, lambda sample: (is_correct(sample), 1))
    return _named("accuracy", bootstrap(sums, ratio, resamples))


def skill_interval(samples: Samples, resamples: int = RESAMPLES) -> dict[str, float]:
    """`skill_ci95_low` and `_high`; left out with fewer than two videos or where a resample's gap is too small."""
    sums = video_sums(rated(samples), terms)
    return _named("skill", bootstrap(sums, quotient, resamples))


def video_sums(samples: Samples, of_question: Terms) -> NDArray:
    """(videos, terms), videos in order of their ids; the order of the lines leaves no trace in it."""
    by_video = groups(samples, itemgetter("video")).values()
    return np.array([[fsum(column) for column in zip(*map(of_question, lines), strict=True)] for lines in by_video])


def bootstrap(
    sums: NDArray, statistic: Statistic, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float] | None:
    """The 2.5 % and 97.5 % points of `statistic` over resampled videos.

    None with fewer than two videos, which tell nothing about their spread, or if the statistic is undefined in any
    resample: leaving that one out would narrow the interval where it should be widest.
    """
    if len(sums) < 2:
        return None
    values = statistic(_draws(len(sums), resamples, seed) @ sums)
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    return float(low), float(high)


@lru_cache(maxsize=4)  # drawing takes longer than the products, and cells of a sweep have equally many videos
def _draws(videos: int, resamples: int, seed: int) -> NDArray:
    """(resamples, videos), how often each video is drawn."""
    return np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), size=resamples).astype(float)


def ratio(sums: NDArray) -> NDArray:
    return sums[..., 0] / sums[..., 1]


def _named(metric: str, interval: tuple[float, float] | None) -> dict[str, float]:
    return {} if interval is None else {f"{metric}_ci95_low": interval[0], f"{metric}_ci95_high": interval[1]}
