"""Agreement of two judges on the same answers: how often, and how far beyond chance (Cohen 1960)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intpv.metrics.interval import bootstrap, video_sums


@dataclass(frozen=True)
class Agreement:
    """Of yes or no on the answers that both have judged."""

    answers: int
    agreement: float  # 0 to 1
    kappa: float | None  # 1 as one, 0 as by chance; None where a single verdict is all that was given
    kappa_interval: tuple[float, float] | None  # 95 %, bootstrap over videos
    first_yes: float  # 0 to 1: what each calls right
    second_yes: float


def agreement(first: Sequence[bool], second: Sequence[bool], videos: Sequence[str]) -> Agreement:
    """One entry per answer; at least one.

    >>> found = agreement([True, True, False, False], [True, False, False, False], list("abcd"))
    >>> found.agreement, found.kappa  # 0.75 where chance gives 0.5
    (0.75, 0.5)
    """
    lines = [
        {"video": video, "cell": 2 * (not one) + (not other)}
        for one, other, video in zip(first, second, videos, strict=True)
    ]
    sums = video_sums(lines, lambda line: [float(line["cell"] == cell) for cell in range(4)])
    total = sums.sum(0)
    kappa = float(kappas(total[None])[0])
    return Agreement(
        answers=len(lines),
        agreement=float((total[0] + total[3]) / total.sum()),
        kappa=kappa if np.isfinite(kappa) else None,
        kappa_interval=bootstrap(sums, kappas) if np.isfinite(kappa) else None,
        first_yes=float((total[0] + total[1]) / total.sum()),
        second_yes=float((total[0] + total[2]) / total.sum()),
    )


def kappas(counts: NDArray) -> NDArray:
    """(..., 4) counts of yes-yes, yes-no, no-yes, no-no -> (...); NaN where chance alone would always agree.

    >>> kappas(np.array([[20, 5, 10, 15]])).tolist()
    [0.4]
    """
    yes_yes, yes_no, no_yes, no_no = np.moveaxis(np.asarray(counts, float), -1, 0)
    total = yes_yes + yes_no + no_yes + no_no
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = (yes_yes + no_no) / total
        chance = ((yes_yes + yes_no) * (yes_yes + no_yes) + (no_yes + no_no) * (yes_no + no_no)) / total**2
        return np.where(chance < 1, (seen - chance) / (1 - chance), np.nan).round(12)
