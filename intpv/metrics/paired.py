"""Paired difference of two cells: both answered the same questions, so most of the noise is common and cancels."""

from dataclasses import dataclass
from typing import Any

from intpv.errors import BadInput
from intpv.metrics.equivalence import equivalence_interval
from intpv.metrics.interval import RESAMPLES, bootstrap, ratio, video_sums
from intpv.metrics.sample import Samples, is_correct, mean
from intpv.record.samples import Sample


@dataclass(frozen=True)
class PairedDifference:
    """A cell against its reference on the same questions: difference, its two intervals, and who won what."""

    mean: float  # accuracy of the cell minus accuracy of the reference, -1 to 1
    ci95_low: float | None  # bootstrap over videos; None with fewer than two, or where all of them differ alike
    ci95_high: float | None
    questions: int
    videos: int
    gained: int  # questions that the cell alone has right
    lost: int  # that the reference alone has right
    low: float  # 90 %, equivalence.py: it has a width where no answer differs too
    high: float


def paired_difference(cell: Samples, reference: Samples, resamples: int = RESAMPLES) -> PairedDifference:
    """Mean of correct(cell) - correct(reference) over the questions.

    Raises BadInput for no questions, a question that occurs twice, or different sets of question ids.

    >>> cell, reference = (
    ...     [{"id": id, "video": id, "error": None, "correct": id in right} for id in "abcd"] for right in ("abc", "cd")
    ... )
    >>> difference = paired_difference(cell, reference)
    >>> difference.mean, difference.gained, difference.lost
    (0.25, 2, 1)
    """
    differences = question_differences(cell, reference)
    sums = video_sums(differences, lambda line: (line["difference"], 1))
    values = [line["difference"] for line in differences]
    ci95_low, ci95_high = bootstrap(sums, ratio, resamples) or (None, None)
    low, high = equivalence_interval(sums)
    return PairedDifference(
        mean=mean(values),
        ci95_low=ci95_low,
        ci95_high=ci95_high,
        questions=len(values),
        videos=len(sums),
        gained=values.count(1),
        lost=values.count(-1),
        low=low,
        high=high,
    )


def question_differences(cell: Samples, reference: Samples) -> list[dict[str, Any]]:
    """Of each question its `video` and the `difference`, 1, 0 or -1. BadInput as `paired_difference` says."""
    ours, theirs = _by_id(cell), _by_id(reference)
    if ours.keys() != theirs.keys():
        raise BadInput(
            f"two cells can be compared on the same questions only: {len(ours.keys() - theirs.keys())} of {len(ours)} "
            f"are missing in the reference, {len(theirs.keys() - ours.keys())} of {len(theirs)} in the cell"
        )
    return [
        {"video": line["video"], "difference": is_correct(line) - is_correct(theirs[id])} for id, line in ours.items()
    ]


def _by_id(samples: Samples) -> dict[str, Sample]:
    lines = {sample["id"]: sample for sample in samples}
    if not lines or len(lines) != len(samples):
        raise BadInput(f"a comparison needs every question once, got {len(samples)} lines of {len(lines)} questions")
    return lines
