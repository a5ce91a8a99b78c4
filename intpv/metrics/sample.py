"""What every measure asks of a sample, one line of samples.jsonl, and how samples are grouped."""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any, TypeVar

from intpv.record.samples import Sample

Samples = Sequence[Sample]
Line = TypeVar("Line", bound=Mapping[str, Any])  # a sample, or what else is kept of a question


def is_answered(sample: Sample) -> bool:
    """Whether the question got an answer, right or wrong; otherwise `error` says why not.

    >>> is_answered({"error": None}), is_answered({"error": "no frames"})
    (True, False)
    """
    return sample["error"] is None


def is_correct(sample: Sample) -> bool:
    """A question that could not be answered is wrong: no configuration may gain by failing.

    >>> is_correct({"error": None, "correct": True}), is_correct({"error": "no frames"})
    (True, False)
    """
    return is_answered(sample) and bool(sample["correct"])


def is_restricted_correct(sample: Sample) -> bool:
    """Whether the likeliest option is the answer.

    >>> is_restricted_correct({"error": None, "choice": "red", "answer": "red"})
    True
    """
    return is_answered(sample) and sample.get("choice") == sample["answer"]


def score_bounds(sample: Sample) -> tuple[float | int, float | int] | None:
    """The perfect observer's expected score and the blind answer's; None unless both are known.

    >>> score_bounds({"ceiling": 0.75, "blind": 0.25}), score_bounds({"blind": 0.25})
    ((0.75, 0.25), None)
    """
    ceiling, blind = sample.get("ceiling"), sample.get("blind")
    return None if ceiling is None or blind is None else (ceiling, blind)


def groups(samples: Sequence[Line], key: Callable[[Line], Any]) -> dict[str, list[Line]]:
    """Lines by the value of `key`, values in order; lines where it is None are in no group.

    >>> groups([{"kind": "when"}, {"kind": "count"}, {"kind": None}], lambda sample: sample["kind"])
    {'count': [{'kind': 'count'}], 'when': [{'kind': 'when'}]}
    """
    found: dict[str, list[Line]] = {}
    for sample in samples:
        value = key(sample)
        if value is not None:
            found.setdefault(str(value), []).append(sample)
    return dict(sorted(found.items()))


def mean(values: Sequence[float | int]) -> float:
    """Mean of at least one number, rounded once: the order of the lines leaves no trace in it.

    >>> mean([0.1] * 10)  # added one by one it would be 0.09999999999999999
    0.1
    """
    return fsum(values) / len(values)
