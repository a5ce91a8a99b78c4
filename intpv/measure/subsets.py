"""Subsets: the same metrics of each regime alone, `slow/accuracy`, `fast/skill/count` and so on."""

from collections.abc import Callable

from intpv.measure.sample import Samples, groups

LABEL = "regime"  # lines without this label are in no subset


def by_regime(samples: Samples, measure: Callable[[Samples], dict[str, float]]) -> dict[str, float]:
    """`measure` of each value of the label, its names prefixed by the value."""
    subsets = groups(samples, lambda sample: sample["labels"].get(LABEL))
    return {f"{regime}/{name}": value for regime, lines in subsets.items() for name, value in measure(lines).items()}
