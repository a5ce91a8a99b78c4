"""Comparison: the paired difference of two sets of answers with all that tells how far to trust it."""

from collections.abc import Sequence
from dataclasses import dataclass

from intpv.metrics.interval import video_sums
from intpv.metrics.paired import PairedDifference, paired_difference, question_differences
from intpv.metrics.power import minimum_detectable, seen_error
from intpv.metrics.sample import is_correct, mean
from intpv.metrics.significance import mcnemar, sign_flip
from intpv.record.samples import Sample

from .verdict import MARGIN

LEVEL = 0.05


@dataclass(frozen=True)
class PairedComparison:
    """Of the first's answers minus the second's, on the same questions."""

    accuracies: tuple[float, float]
    difference: PairedDifference
    mcnemar: float  # exact p, as if questions were independent
    by_video: float  # p by flipping the signs of whole videos
    detectable: float | None  # difference told in 4 of 5 samples; None of one video, or where none differs

    def is_told(self, p: float | None = None) -> bool:
        """Whether it is told from 0: by p (adjusted, where there are several tests), and by the 95 % interval."""
        low, high = self.difference.ci95_low, self.difference.ci95_high
        clear = low is not None and high is not None and (low > 0 or high < 0)
        return clear and (self.by_video if p is None else p) < LEVEL

    def conclusion(self, p: float | None = None, margin: float = MARGIN) -> str:
        """In words that nothing but the intervals decides: a difference inside them is neither a gain nor a loss."""
        found, within = self.difference, f"within {100 * margin:g} points"
        if self.is_told(p):
            word = "higher" if found.mean > 0 else "lower"
            return f"{word}, yet {within}" if -margin < found.low and found.high < margin else word
        if -margin < found.low and found.high < margin:
            return f"equivalent {within}"
        if found.low > -margin:
            return f"not told apart, but no loss over {100 * margin:g} points"
        return "not told apart"


def compare_answers(ours: Sequence[Sample], theirs: Sequence[Sample]) -> PairedComparison:
    """BadInput where the questions are not the same."""
    found = paired_difference(ours, theirs)
    sums = video_sums(question_differences(ours, theirs), lambda line: (line["difference"], 1))
    error = seen_error(sums) if len(sums) > 1 else 0.0
    first, second = (mean([is_correct(line) for line in lines]) for lines in (ours, theirs))
    return PairedComparison(
        accuracies=(first, second),
        difference=found,
        mcnemar=mcnemar(found.gained, found.lost),
        by_video=sign_flip(sums[:, 0]),
        detectable=minimum_detectable(error, len(sums)) if error else None,
    )


def p_text(p: float) -> str:
    """0.0312 -> 0.031; never 0."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
