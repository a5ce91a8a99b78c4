"""A ratio of KL lies in its interval; a limit is held against equal bits alone."""

import pytest

from experiments.bench.kv.fidelity import of_pair, ratios


def test_the_ratio_is_that_of_the_means_and_lies_in_its_interval():
    found = of_pair([1.0, 2.0, 3.0], [2.0, 4.0, 12.0])
    assert found["ratio"] == pytest.approx(6 / 18)
    assert found["median"] == pytest.approx(0.5)
    low, high = found["interval"]
    assert 0.25 <= low <= found["ratio"] <= high <= 0.5
    same = of_pair([1.0, 5.0], [4.0, 20.0])
    assert same["interval"] is None  # units that are all alike tell nothing about their spread


def test_no_limit_is_held_against_more_bits():
    kl = {"best2": [1.0, 1.0], "quanto2 K0 V0": [20.0, 20.0]}
    for ours, limit in ((2.5, 0.1), (3.0, None)):
        (line,) = ratios(kl, {"best2": ours, "quanto2 K0 V0": 2.5})
        assert line["at_most"] == limit
