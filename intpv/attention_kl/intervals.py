"""Intervals: how far attention KL, answer KL and flips of a few videos may be from those of all.

95 %, by the same bootstrap over videos as accuracy's (metrics/interval.py); left out where it has none.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from intpv.attention_kl.report import GROUPED, KL, SCOPES, Measured
from intpv.attention_kl.sums import HeadSums
from intpv.metrics.interval import bootstrap, ratio
from intpv.metrics.placeholders import FLIPS

MEANS = {
    **{scope: ("kl/all", f"attention_kl/{scope}/all/mean") for scope in SCOPES},
    GROUPED: ("total", "attention_kl/grouped/total/mean"),
}
ANSWERS = {"answers": ("attention_kl", "flips"), "grouped/answers": ("attention_kl/grouped", "flips/trained_length")}


class VideoSums:
    """Per video the sums that the cell's means are made of, a few numbers per head, by the name of the mean."""

    def __init__(self) -> None:
        self.videos = 0
        self._sums: dict[str, list[NDArray]] = {}

    def watching(self, videos: Iterable[Measured]) -> Iterator[Measured]:
        """The same videos, taken down as they go by."""
        for one in videos:
            self.videos += 1
            for part, (name, metric) in MEANS.items():
                if part in one.sums and name in one.sums[part].sums:
                    self._sums.setdefault(metric, []).append(_of_heads(one.sums[part], name))
            for part, (kl, flips) in ANSWERS.items():
                if part in one.listed:
                    for name in (KL, *FLIPS):
                        metric = f"{kl}/{KL}/mean" if name == KL else f"{flips}/{name}"
                        values = one.listed[part].values[name]
                        self._sums.setdefault(metric, []).append(np.array([float(values.sum()), len(values)]))
            yield one

    def figures(self) -> dict[str, float]:
        """`<mean>_ci95_low` and `_high`, and `attention_kl/videos`, how many they are of; empty of no video."""
        named = {"attention_kl/videos": float(self.videos)} if self.videos else {}
        for metric, sums in self._sums.items():
            statistic = _mean_of_heads if len(sums[0]) > 2 else ratio
            if interval := bootstrap(np.stack(sums), statistic):
                named |= {f"{metric}_ci95_{end}": bound for end, bound in zip(("low", "high"), interval, strict=True)}
        return named


def _of_heads(sums: HeadSums, name: str) -> NDArray:
    """(2 L H): sums over the rows of every head, and the rows."""
    return np.concatenate([sums.sums[name].flatten().numpy(), sums.rows[name].flatten().numpy()])


def _mean_of_heads(sums: NDArray) -> NDArray:
    """(..., 2 L H) -> (...): the mean over the heads that have a row of their means over rows, as the cell's."""
    total, rows = np.split(sums, 2, axis=-1)
    return np.mean(total / np.maximum(rows, 1), axis=-1, where=rows > 0)
