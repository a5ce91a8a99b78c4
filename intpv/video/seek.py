"""Seek: decode from the keyframes that matter, and notice whenever a frame is not the one the packets promise."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from intpv.errors import VideoError
from intpv.video.container import PacketIndex, Run, opened, time_base
from intpv.video.decoded import Hand

# Pictures: decoded frames of one file as they are displayed, under their index.


Matrix = tuple[int, int, int, int]  # (a, b, c, d): the stored pixel (x, y) is displayed at (a x + c y, b x + d y)
UPRIGHT: Matrix = (1 << 16, 0, 0, 1 << 16)
LEAN = 0.0175  # a degree: what is off a quarter turn by less is meant as one


@dataclass
class Pictures:
    """The wanted frames of one file as they come out, under their display index."""

    path: str
    threads: int = 1  # of the conversion to RGB
    matrix: Matrix = UPRIGHT  # of the first frame, and so of the video
    hand: Hand | None = None  # takes them on; None: they are kept
    shape: tuple[int, ...] | None = None  # of each
    images: dict[int, np.ndarray] = field(default_factory=dict)  # RGB (H, W, C), as displayed
    seconds: dict[int, float] = field(default_factory=dict)  # after the first frame
    # frame.to_ndarray alone would set up a scaler with a thread per core for every single frame
    reformatter: VideoReformatter = field(default_factory=VideoReformatter)

    def keep(self, index: int, frame: av.VideoFrame, second: float) -> None:
        # where the codec's own stream says how to turn, it may say so at keyframes alone, and means all that follow
        if (display_matrix(frame) or self.matrix) != self.matrix:
            raise VideoError(self.path, "the way in which its picture is turned changes")
        picture = self.reformatter.reformat(frame, format="rgb24", threads=self.threads).to_ndarray()
        swapped, left, up = turn(self.path, self.matrix)
        shown = (picture.swapaxes(0, 1) if swapped else picture)[:: -1 if up else 1, :: -1 if left else 1]
        self.shape = self.shape or shown.shape
        if self.shape != shown.shape:
            before, after = (f"{shape[1]}x{shape[0]}" for shape in (self.shape, shown.shape))
            raise VideoError(self.path, f"the picture size changes from {before} to {after}")
        if self.hand is None:
            self.images[index] = shown
        else:
            self.hand(index, shown)
        self.seconds[index] = second


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """How the container or the codec's own stream says that the frame is displayed; a shift says nothing for one."""
    said = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]  # PyAV's hints know names alone
    # 3 x 3 numbers in 1/65536 (ISO/IEC 14496-12), the last column of which would be a perspective
    return None if said is None else tuple(np.frombuffer(said, dtype=np.int32)[[0, 1, 3, 4]].tolist())


def turn(path: str, matrix: Matrix) -> tuple[bool, bool, bool]:
    """Whether rows and columns change places, and whether then each row and each column runs backwards.

    VideoError where the matrix says more than that. Its scale is left out: a picture is as large as it is stored.
    """
    a, b, c, d = matrix
    if abs(b) <= LEAN * abs(a) and abs(c) <= LEAN * abs(d):  # zeros, too, say nothing
        return False, a < 0, d < 0
    if abs(a) <= LEAN * abs(b) and abs(d) <= LEAN * abs(c):
        return True, c < 0, b < 0
    raise VideoError(path, f"its display matrix ({a} {b} {c} {d}) is no quarter turn or mirror")


# what a decoder makes of damage depends on what it decoded before, so that only decoding in order repeats it
STRICT = "crccheck+bitstream+buffer+explode"


def by_seek(
    path: str, index: PacketIndex, runs: list[Run], threads: int, stream: int | None, hand: Hand | None = None
) -> Pictures | None:
    """Decode only the runs. None as soon as a frame is not the one the packets promise: then decode in order.

    Damage in a part of the file that no run touches goes unseen. An index is a place among the times the packets
    promise; where a whole decode silently drops a damaged frame, its own count falls behind, and the times still agree.
    """
    pictures = Pictures(path, threads, hand=hand)
    with opened(path, threads, stream) as (container, video):
        tick = time_base(path, video)
        if video.codec_context.name != "h264":  # there it would also refuse sound open GOPs; but H.264 flags its damage
            video.codec_context.options = {**video.codec_context.options, "err_detect": STRICT}
        try:
            # a file may start with frames that cannot be shown; then every index would be off
            first = next(container.decode(video))
            if first.pts != index.times[0]:
                return None
            pictures.matrix = display_matrix(first) or UPRIGHT
            for run in runs:
                missing = set(run.targets)
                for position, frame in _frames_from(container, video, index, run):
                    if frame.is_corrupt:
                        return None
                    if not missing:
                        continue
                    if frame.pts is None or [frame.pts] != index.times[position : position + 1]:
                        return None
                    if position in missing:
                        missing.remove(position)
                        pictures.keep(position, frame, float((frame.pts - index.times[0]) * tick))
                if missing:
                    return None
        except (av.FFmpegError, StopIteration):  # decoding in order will say what is wrong
            return None
    return pictures


def _frames_from(
    container: InputContainer, video: VideoStream, index: PacketIndex, run: Run
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(display index that is due, frame) from the run's keyframe on; nothing where the seek lands elsewhere.

    At the end come the frames that were decoded before the last target and are shown after it: it may lean on them.
    """
    shown = run.key.pts
    assert shown is not None  # runs are planned by display time
    for time in (shown, run.key.dts):  # mkv seeks by display time, mp4 by decoding time
        if time is None:
            continue
        container.seek(time, stream=video, backward=True)
        packets = container.demux(video)
        first = next(packets)
        if first.is_keyframe and first.pts is not None and first.pts <= shown:
            break
    else:
        return
    position = bisect_left(index.times, first.pts)
    for packet in chain([first], packets):
        done = position > run.targets[-1]
        for frame in video.codec_context.decode(None if done else packet):
            if frame.pts is None or frame.pts >= first.pts:  # earlier ones lean on what was skipped (open GOP)
                yield position, frame
                position += 1
        if done:
            return
