"""Shares of settings, against all orders of setting them one by one and against a known sum of effects."""

from itertools import combinations, permutations

import numpy as np
import pytest

from intpv.metrics.factorial import alone_weights, interaction_weights, last_weights, shapley_weights


@pytest.mark.parametrize("settings", [1, 2, 3, 4])
def test_shares_are_the_mean_gain_over_all_orders(settings):
    scores = np.random.default_rng(settings).random(2**settings)
    gains = np.zeros((0, settings))
    for order in permutations(range(settings)):
        gain, there = np.zeros(settings), 0
        for setting in order:
            gain[setting] = scores[there | 1 << setting] - scores[there]
            there |= 1 << setting
        gains = np.vstack([gains, gain])
    shares = shapley_weights(settings) @ scores
    np.testing.assert_allclose(shares, gains.mean(0), atol=1e-12)
    assert shares.sum() == pytest.approx(scores[-1] - scores[0])
    first = [order[0] for order in permutations(range(settings))]
    last = [order[-1] for order in permutations(range(settings))]
    for weights, at in ((alone_weights, first), (last_weights, last)):
        found = [gains[[place == setting for place in at], setting].mean() for setting in range(settings)]
        np.testing.assert_allclose(weights(settings) @ scores, found, atol=1e-12)


def test_interactions_are_the_coefficients_of_products():
    """Of a score that is a polynomial in three settings, each 0 or 1."""
    products = {(0, 1): 0.3, (0, 2): -0.2, (1, 2): 0.0}
    bits = np.array([[c >> i & 1 for i in range(3)] for c in range(8)])
    scores = bits @ [0.1, 0.5, -0.4] + sum(of * bits[:, i] * bits[:, j] for (i, j), of in products.items())
    found = {pair: weights @ scores for pair, weights in interaction_weights(3).items()}
    assert found.keys() == set(combinations(range(3), 2))
    assert found == pytest.approx(products)
