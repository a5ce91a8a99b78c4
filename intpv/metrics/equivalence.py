"""Equivalence: bounds on a paired difference that stay honest where no or few answers differ.

A bootstrap draws only what was seen: of videos that all answered alike it gives [0, 0], as if no video could ever
differ. Here one unseen video is added, the worst that there could be, and all get random weights that are uniform over
the simplex; the bound is a quantile of the weighted mean (Gaffke 2005; Phan, Thomas and Learned-Miller 2021, "Towards
practical mean bounds for small samples"). Of videos that answered 0 or 1 it is the exact bound of Clopper and Pearson,
and of videos that changed in one direction alone it is off 0 where the sign test is.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intpv.metrics.interval import SEED

TAIL = 0.05  # on each side: 90 %, so that "inside a margin" is two one-sided tests at 5 % (Schuirmann 1987)
DRAWS = 4000  # a bound comes out within 3 % of its distance from the estimate


def equivalence_interval(sums: NDArray) -> tuple[float, float]:
    """90 % interval of the ratio of two sums over videos.

    sums: (videos, 2), of each video what its differences, each of -1 to 1, add up to, and how many they are.
    The unseen video has as many questions as the largest one, all lost for the lower end and all won for the upper.

    >>> nothing = equivalence_interval(np.array([[0, 1]] * 9))  # of 9 videos with a question each, none differs
    >>> [round(end, 1) for end in nothing]  # 1 - 0.05^(1/9) = 0.28
    [-0.3, 0.3]
    """
    weights, unseen = _weights(len(sums))
    difference, questions = (weights @ sums).T
    unseen = unseen * sums[:, 1].max()
    low = np.quantile((difference - unseen) / (questions + unseen), TAIL)
    high = np.quantile((difference + unseen) / (questions + unseen), 1 - TAIL)
    return float(low), float(high)


@lru_cache(maxsize=16)  # the kinds of a sweep are asked of a few different numbers of videos
def _weights(videos: int) -> tuple[NDArray, NDArray]:
    """(DRAWS, videos) and (DRAWS,), uniform over the simplex but for their sum, which every ratio is free of."""
    rng = np.random.default_rng(SEED)
    return rng.exponential(size=(DRAWS, videos)), rng.exponential(size=DRAWS)
