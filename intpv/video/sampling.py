"""Sampling: which of a video's n frames are shown, the same instants for every cell with the same F."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil, inf

import numpy as np

from intpv.bounds import check_whole
from intpv.errors import BadInput

TICK = 1e-6  # s, by which an instant may miss its frame: times are sums of fractions of a second


def midpoint(num_available: int, num_frames: int) -> list[int]:
    """The middle of F equal parts, floor((i + 1/2) n / F); when n < F some frames are shown more than once."""
    _check(num_available, num_frames)
    return [(2 * i + 1) * num_available // (2 * num_frames) for i in range(num_frames)]


def linspace(num_available: int, num_frames: int) -> list[int]:
    """From the first frame to the last, linspace(0, n - 1, F) rounded down: Video-LLaVA's own sampling."""
    _check(num_available, num_frames)
    return np.linspace(0, num_available - 1, num_frames, dtype=int).tolist()


def nested(num_available: int, num_frames: int) -> list[int]:
    """The start of F equal parts, floor(i n / F): all of them are among the frames at 2F, 3F and every kF.

    Frame i at F is frame k i at kF, so that more frames only ever add some. The last F-th of the video shows its start.
    """
    _check(num_available, num_frames)
    return [i * num_available // num_frames for i in range(num_frames)]


def at_rate(
    seconds: Sequence[float | int], num_frames: int, fps: float | int, end: float | int | None = None
) -> list[int]:
    """The frames on screen at 0, 1/fps, 2/fps, ... s, as long as the video lasts: from the first of `seconds` to `end`.

    `seconds` are the frames' times; without an end of its own the last frame stays as long as the one before it. Where
    the instants are more than F, the middle of F equal parts of them; where they are fewer, the last is repeated.
    """
    _check(len(seconds), num_frames)
    start = seconds[0]
    if end is None:
        end = seconds[-1] + (seconds[-1] - seconds[-2] if len(seconds) > 1 else 0)
    instants = max(1, ceil((end - start - TICK) * fps))
    chosen = midpoint(instants, num_frames) if instants > num_frames else range(instants)
    shown = [bisect_right(seconds, start + instant / fps + TICK) - 1 for instant in chosen]
    return shown + [shown[-1]] * (num_frames - len(shown))


SAMPLINGS: dict[str, Callable[[int, int], list[int]]] = {"midpoint": midpoint, "linspace": linspace, "nested": nested}
NAMES = (*SAMPLINGS, "fps")


@dataclass(frozen=True)
class Sampler:
    """A way to sample; with `repeat` k, F/k distinct frames are each shown k times in a row.

    Repeats separate the length of the input from its content: F frames, but only F/k different pictures.
    """

    sampling: str = "midpoint"
    repeat: int = 1  # times each frame is shown
    fps: float | int | None = None  # frames per second, with sampling fps

    def __post_init__(self) -> None:
        if self.sampling not in NAMES:
            raise BadInput(f"video.sampling must be one of {', '.join(NAMES)}, got {self.sampling}")
        check_whole("video.repeat", self.repeat)
        if self.needs_times and not (self.fps is not None and type(self.fps) in (float, int) and 0 < self.fps < inf):
            raise BadInput(f"video.sampling=fps needs video.fps, frames per second over 0, got {self.fps}")
        if not self.needs_times and self.fps is not None:
            raise BadInput(f"video.fps is for video.sampling=fps, got {self.fps} with video.sampling={self.sampling}")

    @property
    def needs_times(self) -> bool:
        """Whether the number of frames is not enough to choose."""
        return self.sampling == "fps"

    def indices(
        self,
        num_available: int,
        num_frames: int,
        seconds: Sequence[float | int] | None = None,
        end: float | int | None = None,
    ) -> tuple[int, ...]:
        """F indices into n frames, never decreasing; `seconds` are the frames' times, ascending, `end` the last one's.

        Only sampling fps needs times; without an end it takes the last frame to stay as long as the one before it.
        """
        if num_frames % self.repeat:
            raise BadInput(f"frames must be a multiple of video.repeat={self.repeat}, got {num_frames}")
        distinct = num_frames // self.repeat
        if self.fps is not None:  # given with sampling fps alone
            if seconds is None or len(seconds) != num_available:
                raise ValueError(f"{num_available} frames need as many times, got {seconds and len(seconds)}")
            chosen = at_rate(seconds, distinct, self.fps, end)
        else:
            chosen = SAMPLINGS[self.sampling](num_available, distinct)
        return tuple(index for index in chosen for _ in range(self.repeat))


def _check(num_available: int, num_frames: int) -> None:
    if num_available < 1 or num_frames < 1:
        raise BadInput(f"sampling needs at least 1 frame of at least 1, got {num_frames} of {num_available}")


# Order: in which order the sampled frames are shown, to ask what a model knows of time.
#
# The model is told the times of an ordered video and shown its frames in another order: positions and timestamps stay
# as they are, pictures change places.


def ordered(num_frames: int, seed: int, video_id: str) -> list[int]:
    """0, 1, ..., F - 1: frames as they come in the video."""
    return list(range(num_frames))


def backwards(num_frames: int, seed: int, video_id: str) -> list[int]:
    """F - 1, ..., 1, 0: the last frame is shown first."""
    return list(range(num_frames))[::-1]


def shuffled(num_frames: int, seed: int, video_id: str) -> list[int]:
    """Another permutation for each seed and video, the same on every machine and in every cell with as many frames."""

    # sorted by hash, not drawn: no generator's version or state can change it
    def draw(frame: int) -> bytes:
        return blake2b(f"order/{seed}/{frame}/{video_id}".encode()).digest()

    return sorted(range(num_frames), key=draw)


ORDERS: dict[str, Callable[[int, int, str], list[int]]] = {
    "ordered": ordered,
    "shuffled": shuffled,
    "reversed": backwards,
}
