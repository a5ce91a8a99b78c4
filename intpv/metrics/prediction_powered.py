"""Prediction-powered inference: an accuracy from many verdicts of a judge and few of people, whatever the judge's bias.

Angelopoulos et al. 2023, "Prediction-powered inference" (arXiv 2301.09633), with the power tuning of "PPI++" (arXiv
2311.01453): theta = mean_L(y) + lambda (mean_U(f) - mean_L(f)), L the labelled and U the other answers, y a person's
verdict, f the judge's. A judge that tells nothing gets lambda 0, and theta is the mean of the labels.

The variance is that of each video's influence, so that questions of one video stand or fall together, with Student's t
for the labelled videos. Labels that all agree with the judge would give it no width: one pair of answers on which they
differ, once each way, is added to the spread (not to theta), as Agresti and Coull add to a share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TAIL = 0.025
LEAST = 2  # labelled videos that tell a spread at all


@dataclass(frozen=True)
class Corrected:
    """An accuracy of 0 to 1 with its 95 % interval."""

    mean: float
    low: float
    high: float
    power: float  # lambda: how much of the judge's mean is used, 0 to 1


def prediction_powered(
    judged: Sequence[float], human: Sequence[float | None], videos: Sequence[str], never_asked: Sequence[str] = ()
) -> Corrected | None:
    """One entry per answer: the judge's verdict (0 or 1), a person's or None, and the video.

    `never_asked` are the videos of further answers, wrong for certain: which they are varies between videos too. None
    with fewer than two labelled videos. The labelled answers must be drawn at random.

    >>> judged, human = [1.0] * 8 + [0.0] * 8, [1.0, 1.0, 1.0, 0.0, None, None, None, None] * 2
    >>> corrected = prediction_powered(judged, human, [str(video) for video in range(16)])
    >>> corrected.mean  # people say 75 % of both halves: the judge tells nothing
    0.75
    """
    f = np.asarray(judged, float)
    labelled = np.array([one is not None for one in human])
    y = np.array([0.0 if one is None else float(one) for one in human])
    if len(set(np.asarray(videos)[labelled])) < LEAST:
        return None
    n, rest = int(labelled.sum()), int((~labelled).sum())
    power = _power(y[labelled], f[labelled], rest)
    mean_y, mean_f = y[labelled].mean(), f[labelled].mean()
    other = f[~labelled].mean() if rest else mean_f
    theta = mean_y + power * (other - mean_f)
    influence = np.where(labelled, (y - power * f - mean_y + power * mean_f) / n, 0.0)
    if rest:
        influence += np.where(labelled, 0.0, power * (f - other) / rest)
    share = len(f) / (len(f) + len(never_asked))
    # of share * theta: an answer that was asked moves the share up, one that was not down
    asked = share * influence + theta * (1 - share) * share / len(f)
    other_influence = np.full(len(never_asked), -theta * share**2 / len(f))
    influence, theta = np.concatenate([asked, other_influence]), share * theta
    variance = _clustered(influence, [*videos, *never_asked]) + share**2 * (1 + power**2) / (n + 2) ** 2
    from scipy import stats  # a second that nobody else waits for

    degrees = len(set(np.asarray(videos)[labelled])) - 1
    half = float(stats.t.ppf(1 - TAIL, degrees) * np.sqrt(variance))
    return Corrected(float(np.clip(theta, 0, 1)), max(0.0, float(theta) - half), min(1.0, float(theta) + half), power)


def _power(y: NDArray, f: NDArray, rest: int) -> float:
    """lambda = cov(y, f) / ((1 + n / N) var(f)), between 0 and 1 (PPI++, example 6.1)."""
    variance = f.var(ddof=1) if len(f) > 1 else 0.0
    if not rest or variance == 0:
        return 0.0
    covariance = np.cov(y, f)[0, 1]
    return float(np.clip(covariance / ((1 + len(f) / rest) * variance), 0, 1))


def _clustered(influence: NDArray, videos: Sequence[str]) -> float:
    """The variance of a sum of influences whose mean is 0, of independent videos."""
    _, place = np.unique(np.asarray(videos), return_inverse=True)
    sums = np.bincount(place, influence)
    return float((sums**2).sum() * len(sums) / (len(sums) - 1))
