"""Subsets: each regime's metrics are those of its lines alone."""

from intpv.metrics.accuracy import accuracy
from intpv.metrics.cell import by_regime


def test_each_regime_alone(draw):
    lines = draw()
    slow = [one for one in lines if one["labels"]["regime"] == "slow"]
    found = by_regime(lines, accuracy)
    assert {name: value for name, value in found.items() if name.startswith("slow/")} == {
        f"slow/{name}": value for name, value in accuracy(slow).items()
    }
    assert {name.split("/")[0] for name in found} == {"slow", "fast"}


def test_lines_without_a_regime_are_in_none(line):
    assert by_regime([line(labels={})], accuracy) == {}
