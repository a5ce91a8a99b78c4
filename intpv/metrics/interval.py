"""95 % intervals by a bootstrap over videos (percentile method; Efron & Tibshirani 1993, chapter 13), expanded for few.

Questions of one video stand or fall together: drawing questions one by one would give intervals too narrow, so whole
videos are drawn. A metric that is a quotient of sums needs only each video's sums, and a resample is a matrix product.

Percentiles of few videos are too narrow: resamples scatter less than samples, by a factor of sqrt((n - 1) / n), and
that scatter is itself an estimate, as Student's t has it. So less is cut off at the tails (Hesterberg 2015, "What
teachers should know about the bootstrap", section 5.3): with 20 videos 94 % hold the truth then, not 91 to 93 %.

Videos that are all alike give resamples that are all alike: an interval without width, which would claim certainty.
Rates then get Wilson's interval (1927) with a video as one draw, the widest that agrees with what was seen; other
figures get none. Of fewer than FEW videos an interval is a rough one still: whoever shows one marks it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import fsum, sqrt
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from intpv.metrics.sample import Line, Samples, groups, is_correct
from intpv.metrics.skill import quotient, rated, terms

RESAMPLES = 2000
SEED = 0  # of the draw of videos; every cell of a sweep draws the same ones
TAIL = 0.025
QUANTILE = 1.959963984540054  # of the normal distribution at 1 - TAIL
FEW = 10  # videos
ROUNDING = 1e-12  # a narrower interval is one of videos that are all alike

Terms = Sequence[float | int]  # what a question adds to its video's sums
Statistic = Callable[[NDArray], NDArray]  # (..., sums) -> (...); NaN where it is not defined


def accuracy_interval(samples: Samples, resamples: int = RESAMPLES) -> dict[str, float]:
    """`accuracy_ci95_low` and `_high`; left out with fewer than two videos.

    >>> accuracy_interval([{"video": id, "error": None, "correct": id == "cat"} for id in ("cat", "dog")])
    {'accuracy_ci95_low': 0.0, 'accuracy_ci95_high': 1.0}
    """
    sums = video_sums(samples, lambda sample: (is_correct(sample), 1))
    return _named("accuracy", bootstrap(sums, ratio, resamples) or _of_videos_alike(sums, ratio))


def skill_interval(samples: Samples, resamples: int = RESAMPLES) -> dict[str, float]:
    """`skill_ci95_low` and `_high`; left out with fewer than two videos or where a resample's gap is too small.

    >>> line = {"kind": "first", "error": None, "blind": 0.25, "ceiling": 0.75}
    >>> lines = [line | {"video": "cat", "correct": True}, line | {"video": "dog", "correct": False}]
    >>> skill_interval(lines)  # (0 - 0.25) / 0.5 and (1 - 0.25) / 0.5
    {'skill_ci95_low': -0.5, 'skill_ci95_high': 1.5}
    """
    sums = video_sums(rated(samples), terms)
    return _named("skill", bootstrap(sums, quotient, resamples) or _of_videos_alike(sums, quotient))


def video_sums(samples: Sequence[Line], of_question: Callable[[Line], Terms]) -> NDArray:
    """(videos, terms), videos in order of their ids; the order of the lines leaves no trace in it.

    >>> lines = [{"video": "cat", "correct": 1}, {"video": "cat", "correct": 0}, {"video": "ant", "correct": 1}]
    >>> video_sums(lines, lambda line: (line["correct"], 1)).tolist()
    [[1.0, 1.0], [1.0, 2.0]]
    """
    by_video = groups(samples, itemgetter("video")).values()
    return np.array([[fsum(column) for column in zip(*map(of_question, lines), strict=True)] for lines in by_video])


def bootstrap(
    sums: NDArray, statistic: Statistic, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float] | None:
    """The points of `statistic` over resampled videos at `tail` and 1 - `tail`, and never without the estimate itself.

    None with fewer than two videos, which tell nothing about their spread, or with videos that are all alike, or if the
    statistic is undefined in any resample: leaving that one out would narrow the interval where it should be widest.

    >>> bootstrap(np.array([[0, 1], [1, 1]]), ratio)  # a wrong video and a right one: each is drawn twice in a quarter
    (0.0, 1.0)
    """
    if len(sums) < 2:
        return None
    values = statistic(_draws(len(sums), resamples, seed) @ sums)
    if not np.isfinite(values).all():
        return None
    estimate = statistic(sums.sum(0, keepdims=True))[0]
    low, high = np.quantile(values, (tail(len(sums)), 1 - tail(len(sums))))
    low, high = float(min(low, estimate)), float(max(high, estimate))
    return (low, high) if high - low > ROUNDING * max(1.0, abs(high)) else None


def tail(videos: int) -> float:
    """What is cut off on each side so that 95 % are left: TAIL of infinitely many videos, less of fewer (2 or more).

    >>> [round(100 * tail(videos), 1) for videos in (20, 60, 1000)]  # percent
    [1.6, 2.2, 2.5]
    """
    return float(ndtr(-sqrt(videos / (videos - 1)) * stdtrit(videos - 1, 1 - TAIL)))


def wilson(share: float, draws: int) -> tuple[float, float]:
    """95 % interval of a share of so many draws (Wilson 1927); it has a width at 0 and at 1 too.

    >>> low, high = wilson(0.0, draws=4)
    >>> round(low, 4), round(high, 4)  # 0 and 1.96^2 / (4 + 1.96^2)
    (0.0, 0.4899)
    """
    square = QUANTILE**2 / draws
    middle, half = share + square / 2, QUANTILE * sqrt(share * (1 - share) / draws + square / (4 * draws))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def _of_videos_alike(sums: NDArray, statistic: Statistic) -> tuple[float, float] | None:
    """Wilson's bounds of correct / asked, the first two sums, put through the statistic.

    None where videos differ: what the bootstrap leaves undefined stays so.
    """
    if len(sums) < 2:
        return None
    total, each = sums.sum(0), statistic(sums)
    if not np.isfinite(each).all() or np.ptp(each) > ROUNDING * max(1.0, abs(each).max()):
        return None
    shares = np.array(wilson(total[0] / total[1], len(sums)))
    bounds = statistic(np.stack([shares * total[1], *(np.full(2, value) for value in total[1:])], 1))
    return float(min(bounds[0], *each)), float(max(bounds[1], *each))  # at 0 and at 1 rounding leaves the share out


@lru_cache(maxsize=4)  # drawing takes longer than the products, and cells of a sweep have equally many videos
def _draws(videos: int, resamples: int, seed: int) -> NDArray:
    """(resamples, videos), how often each video is drawn."""
    return np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), size=resamples).astype(float)


def ratio(sums: NDArray) -> NDArray:
    """(..., 2) sums -> (...), the first over the second: an accuracy where they are correct and asked.

    >>> ratio(np.array([[1, 2], [3, 4]])).tolist()
    [0.5, 0.75]
    """
    return sums[..., 0] / sums[..., 1]


def _named(metric: str, interval: tuple[float, float] | None) -> dict[str, float]:
    return {} if interval is None else {f"{metric}_ci95_low": interval[0], f"{metric}_ci95_high": interval[1]}
