"""Order: the same questions about ordered, shuffled and reversed frames, and what the order was worth.

Reversed frames have answers of their own (labels `reversed_answer` and `reverses`): a question that reversal turns
round is right when its answer is turned round too, and one that it leaves alone keeps its answer. Not to be confused
with the rearranger `reversed`, which shows the tower groups of a reversed video whose answers stay as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from intpv.metrics.paired import PairedDifference, paired_difference
from intpv.metrics.sample import Samples, is_answered, is_correct, mean
from intpv.record.samples import Sample
from intpv.scorer.options import normalised


@dataclass(frozen=True)
class OrderEffect:
    """Of one set of questions. Accuracies from 0 to 1, differences ordered minus the other, paired by question."""

    questions: int
    ordered: float
    shuffled: float
    lost_by_shuffling: PairedDifference
    reversed: float | None = None  # scored as reversed; None where a question has no answer for the reversed video
    lost_by_reversing: PairedDifference | None = None
    unmoved: float | None = None  # the ordered video's answer, given to the reversed one; told where the two differ


def order_effect(ordered: Samples, shuffled: Samples, reversed_: Samples) -> dict[str, OrderEffect]:
    """By set of questions: `all` with an answer in every order, `turned round`, `left alone`, and each kind.

    Empty sets are left out. Raises BadInput where the three were not asked the same questions.

    >>> line = {"id": "1", "video": "cat", "kind": "first", "answer": "red", "error": None, "labels": {}}
    >>> right, wrong = line | {"correct": True}, line | {"correct": False}
    >>> effect = order_effect([right], [wrong], [wrong])["first"]
    >>> effect.ordered, effect.shuffled, effect.lost_by_shuffling.mean
    (1.0, 0.0, 1.0)
    """
    kinds = sorted({sample["kind"] for sample in ordered})
    sets: dict[str, Callable[[Sample], bool]] = {
        "all": _has_reversal,
        "turned round": lambda sample: bool(sample["labels"].get("reverses")),
        "left alone": lambda sample: _has_reversal(sample) and not sample["labels"]["reverses"],
        **{kind: _is_of(kind) for kind in kinds},
    }
    effects = {}
    for name, belongs in sets.items():
        lines = [[sample for sample in cell if belongs(sample)] for cell in (ordered, shuffled, reversed_)]
        if lines[0]:
            effects[name] = _effect(*lines)
    return effects


def as_reversed(samples: Samples) -> list[Sample]:
    """Lines of a reversed video scored against its own answers; every line has one.

    >>> line = {"answer": "left", "labels": {"reversed_answer": "right"}, "error": None, "correct": False}
    >>> [scored["correct"] for scored in as_reversed([line | {"prediction": "right"}])]
    [True]
    """
    scored: list[Sample] = []
    for sample in samples:
        answer = sample["labels"]["reversed_answer"]
        correct = sample["correct"] if answer == sample["answer"] else _said(sample, answer)
        scored.append({**sample, "answer": answer, "correct": correct})
    return scored


def _effect(ordered: Samples, shuffled: Samples, reversed_: Samples) -> OrderEffect:
    effect = OrderEffect(
        questions=len(ordered),
        ordered=_accuracy(ordered),
        shuffled=_accuracy(shuffled),
        lost_by_shuffling=paired_difference(ordered, shuffled),
    )
    if not all(map(_has_reversal, reversed_)):
        return effect
    scored, turned = as_reversed(reversed_), [sample for sample in reversed_ if sample["labels"]["reverses"]]
    return replace(
        effect,
        reversed=_accuracy(scored),
        lost_by_reversing=paired_difference(ordered, scored),
        unmoved=_accuracy(turned) if turned else None,
    )


def _is_of(kind: str) -> Callable[[Sample], bool]:
    return lambda sample: sample["kind"] == kind


def _has_reversal(sample: Sample) -> bool:
    return sample["labels"].get("reversed_answer") is not None


def _said(sample: Sample, answer: str) -> bool:
    prediction = sample["prediction"]
    return is_answered(sample) and prediction is not None and normalised(prediction) == normalised(answer)


def _accuracy(samples: Samples) -> float:
    return mean([is_correct(sample) for sample in samples])
