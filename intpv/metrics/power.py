"""Power: the smallest paired difference that a number of videos and questions can tell from 0."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

POWER = 0.8  # how often a difference of that size is told
LEVEL = 0.05  # two-sided


def minimum_detectable(error: float, videos: int) -> float:
    """The difference that is told from 0 in POWER of all samples, by its standard error over videos (2 at least).

    >>> round(minimum_detectable(0.01, videos=1000), 3)  # (1.96 + 0.84) standard errors
    0.028
    """
    return float(stdtrit(videos - 1, 1 - LEVEL / 2) + ndtri(POWER)) * error


def seen_error(sums: NDArray) -> float:
    """Standard error of the ratio of two sums over videos, which are drawn whole (Cochran 1977, equation 6.13).

    sums: (videos, 2), of each video what its differences add up to, and how many they are; two videos or more.

    >>> seen_error(np.array([[0, 1], [1, 1], [0, 1], [1, 1]])) == (1 / 4 / 3) ** 0.5  # that of a mean of four
    True
    """
    difference, questions = np.asarray(sums, dtype=float).T
    left = difference - difference.sum() / questions.sum() * questions
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (left**2).sum()) / questions.sum())


def planned_error(questions: Sequence[int], differ: float, together: float) -> float:
    """The same before anything ran, where the two are alike but for chance.

    questions: of each video; differ: share of answers that only one of the two has right; together: correlation of a
    video's differences, 0 where each question is a draw of its own, 1 where the video is one draw.

    >>> planned_error([10] * 4, differ=0.25, together=1.0)  # as of 4 questions
    0.25
    """
    asked, squares = sum(questions), sum(count * count for count in questions)
    return sqrt(differ * (asked + together * (squares - asked))) / asked
