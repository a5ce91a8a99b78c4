"""Paired difference of two cells: both answered the same questions, so most of the noise is common and cancels."""

from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.measure.interval import RESAMPLES, bootstrap, ratio, video_sums
from intpv.measure.sample import Samples, is_correct, mean


@dataclass(frozen=True)
class PairedDifference:
    mean: float  # accuracy of the cell minus accuracy of the reference, -1 to 1
    ci95_low: float | None  # bootstrap over videos; None with fewer than two
    ci95_high: float | None
    questions: int


def paired_difference(cell: Samples, reference: Samples, resamples: int = RESAMPLES) -> PairedDifference:
    """Mean of correct(cell) - correct(reference) over the questions.

    Raises BadInput for no questions, a question that occurs twice, or different sets of question ids.
    """
    ours, theirs = _by_id(cell), _by_id(reference)
    if ours.keys() != theirs.keys():
        raise BadInput(
            f"two cells can be compared on the same questions only: {len(ours.keys() - theirs.keys())} of {len(ours)} "
            f"are missing in the reference, {len(theirs.keys() - ours.keys())} of {len(theirs)} in the cell"
        )
    differences = [
        {"video": line["video"], "difference": is_correct(line) - is_correct(theirs[id])} for id, line in ours.items()
    ]
    sums = video_sums(differences, lambda line: (line["difference"], 1))
    low, high = bootstrap(sums, ratio, resamples) or (None, None)
    return PairedDifference(mean([line["difference"] for line in differences]), low, high, len(differences))


def _by_id(samples: Samples) -> dict:
    lines = {sample["id"]: sample for sample in samples}
    if not lines or len(lines) != len(samples):
        raise BadInput(f"a comparison needs every question once, got {len(samples)} lines of {len(lines)} questions")
    return lines
