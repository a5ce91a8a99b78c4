"""Sampling: which of a video's n frames are shown, the same instants for every cell with the same F."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from intpv.errors import BadInput


def midpoints(num_available: int, num_frames: int) -> list[int]:
    """The middle of F equal parts, floor((i + 1/2) n / F); when n < F some frames are shown more than once."""
    _check(num_available, num_frames)
    return [(2 * i + 1) * num_available // (2 * num_frames) for i in range(num_frames)]


def endpoints(num_available: int, num_frames: int) -> list[int]:
    """From the first frame to the last, linspace(0, n - 1, F) rounded down: Video-LLaVA's own sampling."""
    _check(num_available, num_frames)
    return np.linspace(0, num_available - 1, num_frames, dtype=int).tolist()


RULES: dict[str, Callable[[int, int], list[int]]] = {"midpoints": midpoints, "endpoints": endpoints}


@dataclass(frozen=True)
class Sampler:
    """A sampling rule; with `repeat` k, F/k distinct frames are each shown k times in a row.

    Repeats separate the length of the input from its content: F frames, but only F/k different pictures.
    """

    rule: str = "midpoints"
    repeat: int = 1  # times each frame is shown

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise BadInput(f"video.rule must be one of {', '.join(RULES)}, got {self.rule}")
        if self.repeat < 1:
            raise BadInput(f"video.repeat must be at least 1, got {self.repeat}")

    def indices(self, num_available: int, num_frames: int) -> tuple[int, ...]:
        """F indices into n frames, never decreasing."""
        if num_frames % self.repeat:
            raise BadInput(f"num_frames must be a multiple of repeat {self.repeat}, got {num_frames}")
        distinct = RULES[self.rule](num_available, num_frames // self.repeat)
        return tuple(index for index in distinct for _ in range(self.repeat))


def _check(num_available: int, num_frames: int) -> None:
    if num_available < 1 or num_frames < 1:
        raise BadInput(f"sampling needs at least 1 frame of at least 1, got {num_frames} of {num_available}")
