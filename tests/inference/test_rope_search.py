"""The search for factors: never worse than the rules that it begins with, never beyond its budget, the same twice."""

import math

import pytest

from intpv.errors import BadInput
from intpv.inference.rope_search import search_factors

STARTS = {"none": (1.0,) * 6, "linear": (4.0,) * 6, "ntk": tuple(4 ** (i / 5) for i in range(6))}
BEST = (1.0, 1.2, 1.9, 3.1, 4.4, 4.8)


def off(factors) -> float:
    """From factors that no rule has, in logarithms."""
    return sum(math.log(one / best) ** 2 for one, best in zip(factors, BEST, strict=True))


def searched(budget: int = 1000, seed: int = 0, objective=off):
    return search_factors(objective, STARTS, most=5.0, budget=budget, seed=seed)


def test_it_finds_factors_that_no_rule_has():
    found = searched()
    assert found.value == off(found.factors) < min(found.starts.values()) / 4
    assert all(1 <= one <= 5 for one in found.factors)
    assert list(found.factors) == sorted(found.factors)


@pytest.mark.parametrize("budget", [3, 10, 100])
def test_it_asks_for_no_more_evaluations_than_its_budget_and_begins_with_the_rules(budget):
    asked = []
    found = searched(budget, objective=lambda factors: asked.append(factors) or off(factors))
    assert len(asked) == len(set(asked)) == found.evaluations == budget
    assert found.value == min(map(off, asked)) <= min(found.starts.values())
    assert found.starts == {name: off(tried) for name, tried in zip(STARTS, asked, strict=False)}


def test_a_rule_stays_where_nothing_is_better():
    def at_the_rule(factors):
        return 0.0 if factors == (4.0,) * 6 else 1.0

    assert searched(60, objective=at_the_rule).factors == (4.0,) * 6


def test_the_same_seed_finds_the_same():
    assert searched(100) == searched(100) != searched(100, seed=1)


def test_an_objective_without_slope_ends():
    assert searched(50, objective=lambda factors: 0.5).value == 0.5


def test_refuses_a_budget_below_its_rules():
    with pytest.raises(BadInput, match="budget must be at least 3, the known rules that a search begins with, got 2"):
        searched(2)
