"""When: which part of the video the model places an event in; how often it takes one position for another."""

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from intpv.metrics.sample import Samples, is_answered
from intpv.record.samples import Sample
from intpv.scorer.options import normalised

KIND = "when"  # questions whose options are the parts of the video in order of time


def confusion(samples: Samples) -> Int[ndarray, "K K"]:
    """How often part i (row) was said to be part j (column), over the questions of this kind with a valid answer.

    K is the number of parts, 0 where nothing was asked.

    >>> line = {"kind": "when", "options": ["early", "middle", "late"], "answer": "early", "error": None}
    >>> confusion([line | {"prediction": said} for said in ("early", "late", "who knows")]).tolist()
    [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    """
    asked = [sample for sample in samples if sample["kind"] == KIND]
    parts = len(asked[0]["options"]) if asked else 0
    counts = np.zeros((parts, parts), dtype=int)
    for sample in asked:
        if (said := _place(sample, sample["prediction"])) is not None:
            counts[_place(sample, sample["answer"]), said] += 1
    return counts


def when(samples: Samples) -> dict[str, float]:
    """Figures of the confusion matrix; empty where nothing was asked, `when/questions` alone where nothing was valid.

    when/questions     asked
    when/valid         answers that name a part / asked
    when/exact         on the diagonal / valid
    when/within_one    at most one part off / valid
    when/signed_error  mean of said minus true, in parts; positive is too late

    >>> line = {"kind": "when", "options": ["early", "middle", "late"], "answer": "early", "error": None}
    >>> list(when([line | {"prediction": said} for said in ("early", "late")]).values())  # right, and 2 parts too late
    [2.0, 1.0, 0.5, 0.5, 1.0]
    """
    asked = sum(sample["kind"] == KIND for sample in samples)
    if not asked:
        return {}
    counts = confusion(samples)
    valid = counts.sum()
    figures = {"when/questions": float(asked), "when/valid": float(valid / asked)}
    if not valid:
        return figures
    off = np.arange(len(counts))[None, :] - np.arange(len(counts))[:, None]
    return {
        **figures,
        "when/exact": float(np.trace(counts) / valid),
        "when/within_one": float(counts[abs(off) <= 1].sum() / valid),
        "when/signed_error": float((off * counts).sum() / valid),
    }


def displacement(sample: Sample) -> int | None:
    """Parts by which an answer is late, below 0 early; None of another kind, and where no part is named."""
    if sample["kind"] != KIND or (said := _place(sample, sample["prediction"])) is None:
        return None
    true = _place(sample, sample["answer"])
    assert true is not None  # it is one of its own options
    return said - true


def _place(sample: Sample, text: str | None) -> int | None:
    """Which option it is."""
    options = [normalised(option) for option in sample["options"]]
    if text is None or not is_answered(sample) or normalised(text) not in options:
        return None
    return options.index(normalised(text))
