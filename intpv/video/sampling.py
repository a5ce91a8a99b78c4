"""Sampling: which of a video's n frames are shown, the same instants for every cell with the same F."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
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


def by_change(change: Sequence[float], num_frames: int) -> list[int]:
    """The middles of F parts of the video in which pictures change as much, no frame twice.

    `change` says of each frame how far it is from the one before it. A still video is cut by time; where it changes
    all at once the frames around that moment are shown. With fewer frames than F, as `midpoint`.
    """
    count = len(change)
    _check(count, num_frames)
    if num_frames >= count:
        return midpoint(count, num_frames)
    # a thousandth of all change is spread over time, or still parts would have no place at all
    total = sum(change)
    spread = total / 1000 / count if total > 0 else 1.0
    until = list(accumulate(float(one) + spread for one in change))
    chosen: list[int] = []
    for part in range(num_frames):
        index = bisect_right(until, until[-1] * (2 * part + 1) / (2 * num_frames))
        least = chosen[-1] + 1 if chosen else 0
        chosen.append(min(max(index, least), count - num_frames + part))
    return chosen


def by_score(scores: Sequence[float], num_frames: int) -> list[int]:
    """The F frames of the highest scores, in order of time; of equals the earlier. With fewer than F, as `midpoint`."""
    count = len(scores)
    _check(count, num_frames)
    if num_frames >= count:
        return midpoint(count, num_frames)
    return sorted(sorted(range(count), key=lambda index: (-scores[index], index))[:num_frames])


SAMPLINGS: dict[str, Callable[[int, int], list[int]]] = {"midpoint": midpoint, "linspace": linspace, "nested": nested}
NAMES = (*SAMPLINGS, "fps", "change", "scores")


@dataclass(frozen=True)
class Sampler:
    """A way to sample; with `repeat` k, F/k distinct frames are each shown k times in a row.

    Repeats separate the length of the input from its content: F frames, but only F/k different pictures.
    """

    sampling: str = "midpoint"
    repeat: int = 1  # times each frame is shown
    fps: float | int | None = None  # frames per second, with sampling fps
    scores: Sequence[float] | None = None  # of each frame of the video, with sampling scores

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

    @property
    def needs_change(self) -> bool:
        """Whether all pictures have to be looked at first."""
        return self.sampling == "change"

    def indices(
        self,
        num_available: int,
        num_frames: int,
        seconds: Sequence[float | int] | None = None,
        end: float | int | None = None,
        change: Sequence[float] | None = None,
    ) -> tuple[int, ...]:
        """F indices into n frames, never decreasing; `seconds` are the frames' times, ascending, `end` the last one's.

        Only sampling fps needs times; without an end it takes the last frame to stay as long as the one before it.
        Only sampling change needs `change`, see `by_change`. BadInput for scores of another number of frames.
        """
        if num_frames % self.repeat:
            raise BadInput(f"frames must be a multiple of video.repeat={self.repeat}, got {num_frames}")
        distinct = num_frames // self.repeat
        if self.fps is not None:  # given with sampling fps alone
            if seconds is None or len(seconds) != num_available:
                raise ValueError(f"{num_available} frames need as many times, got {seconds and len(seconds)}")
            chosen = at_rate(seconds, distinct, self.fps, end)
        elif self.needs_change:
            if change is None or len(change) != num_available:
                raise ValueError(f"{num_available} frames need as many changes, got {change and len(change)}")
            chosen = by_change(change, distinct)
        elif self.scores is not None:
            if len(self.scores) != num_available:
                raise BadInput(f"video.scores has {len(self.scores)} scores for a video of {num_available} frames")
            chosen = by_score(self.scores, distinct)
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
