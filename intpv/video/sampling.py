"""Sampling: which of a video's n frames are shown, the same instants for every cell with the same F."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from itertools import accumulate
from math import ceil, floor, inf
from typing import Any

import numpy as np

from intpv.bounds import check_whole
from intpv.errors import BadInput

Clip = tuple[float | int, float | int]  # start and end in seconds of a part of a video
TICK = 1e-6  # s, by which an instant may miss its frame: times are sums of fractions of a second


def midpoint(num_available: int, num_frames: int, phase: float | int = 0.5) -> list[int]:
    """The middle of F equal parts, floor((i + 1/2) n / F); when n < F some frames are shown more than once.

    Another `phase` than 1/2 takes the same place of each part: the phases 1/2W, 3/2W, ..., 1 - 1/2W give together the
    frames at W F, dealt to W videos in turn. Exact for any phase that a float holds.
    """
    _check(num_available, num_frames)
    return [floor((i + Fraction(phase)) * num_available / num_frames) for i in range(num_frames)]


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
    start, end = seconds[0], lasts_until(seconds, end)
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


def lasts_until(seconds: Sequence[float | int], end: float | int | None = None) -> float | int:
    """When the last frame goes: `end`, and where that is not known after as long as the one before it stayed."""
    return end if end is not None else seconds[-1] + (seconds[-1] - seconds[-2] if len(seconds) > 1 else 0)


class OutsideVideo(ValueError):
    """A clip of which the video shows nothing."""


def is_clip(clip: Sequence[Any]) -> bool:
    """Whether these are the start and the end of a part of a video, in seconds."""
    return len(clip) == 2 and all(type(one) in (int, float) for one in clip) and 0 <= clip[0] < clip[1] < inf


def on_screen(seconds: Sequence[float | int], clip: Clip, end: float | int | None = None) -> tuple[int, int]:
    """(first, last + 1) of the frames shown from the clip's start up to its end; `seconds` count from the first frame.

    At a frame a second a clip from 1.5 to 3 s begins with frame 1, on screen until 2 s, and ends with frame 2.
    """
    if clip[0] >= lasts_until(seconds, end) - TICK and clip[0] > 0:  # a picture alone lasts no time, and begins at 0
        raise OutsideVideo(
            f"the clip from {clip[0]:g} to {clip[1]:g} s begins after its end at {lasts_until(seconds, end):g} s"
        )
    first = max(bisect_right(seconds, clip[0] + TICK) - 1, 0)
    return first, max(bisect_left(seconds, clip[1] - TICK), first + 1)


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
    clip: Clip | None = None  # start and end in seconds of the part that is asked about
    phase: float | int = 0.5  # where in each of F equal parts, with sampling midpoint

    def __post_init__(self) -> None:
        if self.clip is not None and not is_clip(self.clip):
            raise BadInput(f"a clip must start at 0 s or later and end after its start, got {self.clip}")
        if self.sampling not in NAMES:
            raise BadInput(f"video.sampling must be one of {', '.join(NAMES)}, got {self.sampling}")
        check_whole("video.repeat", self.repeat)
        by_rate = self.sampling == "fps"
        if by_rate and not (self.fps is not None and type(self.fps) in (float, int) and 0 < self.fps < inf):
            raise BadInput(f"video.sampling=fps needs video.fps, frames per second over 0, got {self.fps}")
        if not by_rate and self.fps is not None:
            raise BadInput(f"video.fps is for video.sampling=fps, got {self.fps} with video.sampling={self.sampling}")
        if not (type(self.phase) in (float, int) and 0 <= self.phase < 1):
            raise BadInput(f"video.phase must be a number from 0 up to 1, got {self.phase}")
        if self.phase != 0.5 and self.sampling != "midpoint":
            raise BadInput(
                f"video.phase is for video.sampling=midpoint, got {self.phase} with video.sampling={self.sampling}"
            )

    @property
    def needs_times(self) -> bool:
        """Whether the number of frames is not enough to choose."""
        return self.sampling == "fps" or self.clip is not None

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

        Only sampling change needs `change`, see `by_change`. BadInput for scores of another number of frames.
        Only sampling fps and a clip need times; without an end the last frame is taken to stay as long as the one
        before it. Of a clip the frames that are on screen in it are sampled as if there were no others. OutsideVideo
        where it begins after the video's end.
        """
        if num_frames % self.repeat:
            raise BadInput(f"frames must be a multiple of video.repeat={self.repeat}, got {num_frames}")
        distinct, first = num_frames // self.repeat, 0
        if self.needs_times and (seconds is None or len(seconds) != num_available):
            raise ValueError(f"{num_available} frames need as many times, got {seconds and len(seconds)}")
        if self.needs_change and (change is None or len(change) != num_available):
            raise ValueError(f"{num_available} frames need as many changes, got {change and len(change)}")
        if self.scores is not None and len(self.scores) != num_available:
            raise BadInput(f"video.scores has {len(self.scores)} scores for a video of {num_available} frames")
        if self.clip is not None and seconds is not None:
            first, last = on_screen(seconds, self.clip, end)
            seconds, end = (self.clip[0], *seconds[first + 1 : last]), min(self.clip[1], lasts_until(seconds, end))
            num_available = last - first
        if self.fps is not None and seconds is not None:  # given with sampling fps alone
            chosen = at_rate(seconds, distinct, self.fps, end)
        elif change is not None and self.needs_change:
            chosen = by_change(change[first : first + num_available], distinct)
        elif self.scores is not None:
            chosen = by_score(self.scores[first : first + num_available], distinct)
        elif self.sampling == "midpoint":
            chosen = midpoint(num_available, distinct, self.phase)
        else:
            chosen = SAMPLINGS[self.sampling](num_available, distinct)
        return tuple(first + index for index in chosen for _ in range(self.repeat))


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
