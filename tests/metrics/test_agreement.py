"""Agreement: Cohen's kappa against its closed form on a table, and at its ends."""

import numpy as np
import pytest

from intpv.metrics.agreement import agreement


def table(yes_yes, yes_no, no_yes, no_no):
    first = [True] * (yes_yes + yes_no) + [False] * (no_yes + no_no)
    second = [True] * yes_yes + [False] * yes_no + [True] * no_yes + [False] * no_no
    return agreement(first, second, [f"v{n % 20}" for n in range(len(first))])


@pytest.mark.parametrize(("counts", "kappa"), [((45, 15, 25, 15), 3 / 23), ((25, 35, 5, 35), 7 / 27)])
def test_kappa_of_known_tables(counts, kappa):
    """Sim and Wright 2005: the same agreement, 0.6, with unlike marginals."""
    found = table(*counts)
    assert found.agreement == 0.6
    assert found.kappa == pytest.approx(kappa)
    low, high = found.kappa_interval
    assert low < found.kappa < high


def test_ends():
    assert table(10, 0, 0, 10).kappa == 1
    assert table(0, 10, 10, 0).kappa == -1
    assert table(20, 0, 0, 0).kappa is None
    assert (table(6, 2, 1, 1).first_yes, table(6, 2, 1, 1).second_yes) == (0.8, 0.7)


def test_independent_judges_have_none():
    one, other = np.random.default_rng(0).random((2, 4000)) < 0.7
    assert abs(agreement(one.tolist(), other.tolist(), list(map(str, range(4000)))).kappa) < 0.05
