"""Sample: one line of samples.jsonl, and how lines are grouped. What is asked of every measure is decided here."""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any

Sample = Mapping[str, Any]  # keys: intpv/record/samples.py, further ones choice, loglik and blind
Samples = Sequence[Sample]


def is_answered(sample: Sample) -> bool:
    return sample["error"] is None


def is_correct(sample: Sample) -> bool:
    """A question that could not be answered is wrong: no configuration may gain by failing."""
    return is_answered(sample) and bool(sample["correct"])


def is_restricted_correct(sample: Sample) -> bool:
    """Whether the likeliest option is the answer."""
    return is_answered(sample) and sample.get("choice") == sample["answer"]


def has_bounds(sample: Sample) -> bool:
    """Whether both the perfect observer's and the blind answer's expected score are known."""
    return sample.get("ceiling") is not None and sample.get("blind") is not None


def groups(samples: Samples, key: Callable[[Sample], Any]) -> dict[str, list[Sample]]:
    """Lines by the value of `key`, values in order; lines where it is None are in no group."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        value = key(sample)
        if value is not None:
            found.setdefault(str(value), []).append(sample)
    return dict(sorted(found.items()))


def mean(values: Sequence[float | int]) -> float:
    """Mean of at least one number, rounded once: the order of the lines leaves no trace in it."""
    return fsum(values) / len(values)
