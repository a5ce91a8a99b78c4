"""Saturation: the curve a + b (1 - exp(-F / c)) of accuracy against frames, its plateau and the frames that reach it.

For one c the curve is a straight line in 1 - exp(-F / c), so its least squares have a closed form, and c is the best of
SCALES values from a third of the fewest frames to twice the most, 1 % apart: all resamples of a bootstrap are fitted at
once. b is not negative: more frames of a curve that saturates cost nothing. A curve that falls, or that has reached too
little of its plateau to tell where it is, is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intpv.errors import BadInput
from intpv.metrics.interval import RESAMPLES, bootstrap
from intpv.metrics.power import LEVEL
from intpv.metrics.significance import holm, sign_flip

SHARE = 0.95  # of the plateau, which is called reached
LEAST = 4  # frame counts: a curve of three parameters goes through any three
SCALES = 400


@dataclass(frozen=True)
class Saturation:
    """Of a curve that saturates. Intervals are 95 %, None of fewer than two videos; an end beyond the most frames that
    were shown says no more than that."""

    plateau: float  # a + b, an accuracy, 1 at most
    plateau_low: float | None
    plateau_high: float | None
    frames: float  # that reach SHARE of the plateau, not fewer than the fewest shown
    frames_low: float | None
    frames_high: float | None


def saturation(frames: Sequence[int], correct: NDArray, asked: NDArray, resamples: int = RESAMPLES) -> Saturation:
    """Of accuracies at growing `frames`, the same questions at each.

    correct: (videos, frame counts), right answers of each video; asked: (videos,), its questions.
    Raises BadInput for fewer than LEAST frame counts, and for a curve that falls or is still rising.

    >>> right = [100 * (1 - np.exp(-count / 10)) for count in (8, 16, 32, 64)]
    >>> found = saturation([8, 16, 32, 64], np.array([right] * 2), np.array([200] * 2))
    >>> round(found.plateau, 2), round(found.frames)  # 10 ln 20
    (0.5, 30)
    """
    if len(frames) < LEAST:
        raise BadInput(f"a saturating curve needs {LEAST} frame counts or more, got {', '.join(map(str, frames))}")
    shown = np.asarray(frames, dtype=float)
    sums = np.column_stack([correct, asked]).astype(float)
    _refuse_falling(frames, sums)
    plateau, needed = _fitted(shown, _accuracies(sums.sum(0, keepdims=True)))
    if needed[0] > shown[-1]:
        raise BadInput(
            f"still rising at {frames[-1]} frames: {100 * SHARE:.0f} % of a plateau of {100 * plateau[0]:.1f} % would "
            f"take {needed[0]:.1f}"
        )
    most = 2 * shown[-1]  # whatever lies beyond the most frames is as far
    ends = bootstrap(sums, lambda drawn: _fitted(shown, _accuracies(drawn))[0], resamples)
    reached = bootstrap(sums, lambda drawn: np.minimum(_fitted(shown, _accuracies(drawn))[1], most), resamples)
    low, high = ends or (None, None)
    frames_low, frames_high = reached or (None, None)
    return Saturation(float(plateau[0]), low, high, float(needed[0]), frames_low, frames_high)


def _accuracies(sums: NDArray) -> NDArray:
    """(..., frame counts)"""
    return sums[..., :-1] / sums[..., -1:]


def _refuse_falling(frames: Sequence[int], sums: NDArray) -> None:
    """Where fewer frames are told to be better than the most, by flipping signs of whole videos, Holm over them all."""
    accuracy = _accuracies(sums.sum(0))
    lost = sums[:, :-2] - sums[:, -2:-1]  # right answers, against the most frames
    told = np.array(holm([sign_flip(each) for each in lost.T])) < LEVEL
    falls = [place for place in np.argsort(-accuracy[:-1]) if told[place] and accuracy[place] > accuracy[-1]]
    if falls:
        before, after = (100 * accuracy[place] for place in (falls[0], -1))
        raise BadInput(f"falls from {before:.1f} % at {frames[falls[0]]} frames to {after:.1f} % at {frames[-1]}")


def _fitted(frames: NDArray, accuracy: NDArray) -> tuple[NDArray, NDArray]:
    """(rows, counts) accuracies -> plateau and frames that reach SHARE of it, (rows,) each, by least squares."""
    scales = np.geomspace(frames[0] / 3, 2 * frames[-1], SCALES)
    shapes = 1 - np.exp(-frames / scales[:, None])
    apart = shapes - shapes.mean(1, keepdims=True)
    spread = (apart**2).sum(1)
    slopes = np.maximum(accuracy @ apart.T / spread, 0)
    best = (slopes**2 * spread).argmax(1)  # explains most; of a curve that falls the slope is 0 everywhere
    rise = np.take_along_axis(slopes, best[:, None], 1)[:, 0]
    plateau = np.minimum(accuracy.mean(1) + rise * (1 - shapes.mean(1)[best]), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = scales[best] * np.log(rise / ((1 - SHARE) * plateau))
    return plateau, np.fmax(needed, frames[0])  # no rise, or no right answer: at the fewest
