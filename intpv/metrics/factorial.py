"""Factorial: what each of k two-valued settings contributes to a score that is known for all 2^k combinations.

Combination c is a number of k bits: bit i is set where setting i is. Every figure here is a weighted sum of the 2^k
scores, so that an interval of it is that of one statistic, paired on the same questions.
"""

from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray


def shapley_weights(settings: int) -> NDArray:
    """(k, 2^k): row times scores is setting i's share, its gain averaged over all orders of adding one by one.

    The shares sum to the gain of all together (Shapley 1953), so none is counted twice.

    >>> (shapley_weights(2) @ [0, 1, 0, 2]).tolist()  # the second helps beside the first alone
    [1.5, 0.5]
    """
    weights = np.zeros((settings, 2**settings))
    for setting in range(settings):
        for without in (c for c in range(2**settings) if not c >> setting & 1):
            before = without.bit_count()
            share = factorial(before) * factorial(settings - before - 1) / factorial(settings)
            weights[setting, without | 1 << setting] = share
            weights[setting, without] = -share
    return weights


def alone_weights(settings: int) -> NDArray:
    """(k, 2^k): the gain of setting i where no other is set.

    >>> (alone_weights(2) @ [0, 1, 0, 2]).tolist()
    [1.0, 0.0]
    """
    weights = np.zeros((settings, 2**settings))
    for setting in range(settings):
        weights[setting, [1 << setting, 0]] = 1, -1
    return weights


def last_weights(settings: int) -> NDArray:
    """(k, 2^k): the gain of setting i where all others are set.

    >>> (last_weights(2) @ [0, 1, 0, 2]).tolist()
    [2.0, 1.0]
    """
    weights, whole = np.zeros((settings, 2**settings)), 2**settings - 1
    for setting in range(settings):
        weights[setting, [whole, whole ^ 1 << setting]] = 1, -1
    return weights


def interaction_weights(settings: int) -> dict[tuple[int, int], NDArray]:
    """(i, j) -> (2^k,): by how much i gains more where j is set than where it is not, mean over the other settings.

    Above 0 the two help each other (synergy), below 0 they mend the same loss.

    >>> {pair: float(weights @ [0, 1, 0, 2]) for pair, weights in interaction_weights(2).items()}
    {(0, 1): 1.0}
    """
    found = {}
    for one, other in combinations(range(settings), 2):
        signs = [(-1) ** ((c >> one & 1) + (c >> other & 1)) for c in range(2**settings)]
        found[one, other] = np.array(signs) / 2 ** (settings - 2)
    return found
