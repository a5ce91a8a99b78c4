"""A strategy has one look, no two strategies the same, and texts are what readers know."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.style import (
    FURTHER,
    FURTHER_COLORS,
    GREY,
    KV_FURTHER,
    KV_POLICIES,
    STRATEGIES,
    kv_marks,
    kv_term,
    looks,
    shades,
    strategy_term,
)

CONF = Path(__file__).parents[2] / "conf"
NAMES = st.text("abcdefgh_ =1", min_size=1, max_size=6)


@pytest.mark.slow
@given(st.sets(st.sampled_from([*STRATEGIES]) | NAMES, max_size=60))
def test_no_two_strategies_look_alike_and_known_ones_keep_their_look(names):
    found = looks(names)
    assert found.keys() == names
    assert len({(look.color, look.marker) for look in found.values()}) == len(names)
    assert all(found[name] == STRATEGIES[name] for name in names & STRATEGIES.keys())
    assert GREY not in {look.color for look in found.values()}


@given(NAMES, st.sets(st.sampled_from([*STRATEGIES])))
def test_a_strategy_alone_of_its_kind_looks_the_same_in_every_sweep(name, others):
    assert looks([name, *others])[name] == looks([name])[name]


@given(st.sets(NAMES.map("my_{}".format), max_size=len(FURTHER_COLORS)))
def test_colours_are_told_apart_while_there_are_any(names):
    assert len({look.color for look in looks(names).values()}) == len(names)


@given(st.sets(NAMES.map("my_{}".format), max_size=8))
def test_the_order_of_a_sweep_changes_no_look(names):
    assert looks(sorted(names)) == looks(sorted(names, reverse=True))


def test_more_than_there_are_pairs_are_numbered():
    found = looks(f"s{index}" for index in range(FURTHER + 3))
    assert {"$1$", "$2$", "$3$"} < {look.marker for look in found.values()}


def test_every_option_has_a_look_of_its_own():
    for group, table in (("rope_strategy", STRATEGIES), ("kv_quant", KV_POLICIES)):
        assert table.keys() == {file.stem for file in (CONF / group).glob("*.yaml")}
    marks = [mark for _, mark in KV_POLICIES.values()] + list(KV_FURTHER)
    assert len(set(marks)) == len(marks)
    known = looks([*STRATEGIES, *(f"s{index}" for index in range(FURTHER))]).values()
    assert not {look.marker for look in known} & set(marks)


@pytest.mark.parametrize(
    ("option", "term"),
    [
        ("none", "no scaling"),
        ("ntk", "NTK-aware"),
        ("yarn window=llm", "YaRN window=llm"),
        ("my_own a=1", "my_own a=1"),
    ],
)
def test_strategies_are_called_as_papers_call_them(option, term):
    assert strategy_term(option) == looks([option])[option].term == term


@pytest.mark.parametrize(
    ("option", "term"),
    [("none", "KV full precision"), ("int2 sinks=0", "KV 2 bits sinks=0"), ("mine", "KV mine")],
)
def test_kv_policies_are_called_by_what_they_do(option, term):
    assert kv_term(option) == term


def test_a_policy_has_one_mark_whatever_is_beside_it():
    assert kv_marks(["none", "mine", "int2"]) | kv_marks(["int2", "kivi"]) == {
        "none": "d",
        "mine": KV_FURTHER[0],
        "int2": "x",
        "kivi": "+",
    }


@given(st.integers(1, 12), st.sampled_from([look.color for look in STRATEGIES.values()]))
def test_shades_darken(count, color):
    found = [sum(int(shade[at : at + 2], 16) for at in (1, 3, 5)) for shade in shades(color, count)]
    assert found == sorted(set(found), reverse=True)
    assert shades(color, 1) == [color]
