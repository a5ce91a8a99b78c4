"""PyAV: exactly the frames a full decode returns at the chosen indices, by seeking where that is certain.

A file with a frame that FFmpeg itself flags as damaged is refused. Damage that it does not notice is shown as other
programs show it; an HEVC slice that ends early is such damage, and leaves in the picture whatever the memory held, so
that not even two full decodes (with one thread and with four) agree on it.
"""

from dataclasses import dataclass, field

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from intpv.errors import VideoError
from intpv.video.container import PacketIndex, opened, packet_index, time_base
from intpv.video.decoded import Decoded, Hand
from intpv.video.sampling import Sampler
from intpv.video.seek import UPRIGHT, Pictures, by_seek, display_matrix

SMALL = 32  # px, side of the pictures that tell how much changes


def read(
    path: str, num_frames: int, sampler: Sampler, threads: int, stream: int | None, hand: Hand | None = None
) -> Decoded:
    """Sample F frames. The header's frame count is not trusted: packets are counted, and frames when decoding all."""
    with opened(path, threads, stream) as (container, video):
        index = packet_index(path, container, video)
        tick = time_base(path, video)
        seconds = index.seconds(tick)
        end = None if seconds is None else index.end(tick)
    change: Change | None = None
    if sampler.needs_change or (seconds is None and sampler.needs_times):
        change = Change() if sampler.needs_change else None
        _, seconds, end = in_order(path, index, (), threads, stream, change)
    count = len(index.packets) if seconds is None else len(seconds)
    indices = sampler.indices(count, num_frames, seconds, end, None if change is None else change.amounts)
    pictures = None
    if index.can_seek:
        runs = index.plan(sorted(set(indices)))
        if not index.prefers_order(runs):
            pictures = by_seek(path, index, runs, threads, stream, hand)
    if pictures is None:
        pictures, seconds, end = in_order(path, index, indices, threads, stream, hand=hand)
        if len(seconds) != count:  # packets that show nothing: sample again from what is really there
            count = len(seconds)
            indices = sampler.indices(count, num_frames, seconds, end, None if change is None else change.amounts)
            pictures, _, _ = in_order(path, index, indices, threads, stream, hand=hand)
    images = () if hand else tuple(pictures.images[i] for i in indices)
    return Decoded(images, tuple(pictures.seconds[i] for i in indices), indices, count, "pyav", av.__version__)


@dataclass
class Change:
    """How far each frame is from the one before it, in grey levels of a small picture; the first is 0."""

    amounts: list[float] = field(default_factory=list)
    before: np.ndarray | None = None
    reformatter: VideoReformatter = field(default_factory=VideoReformatter)

    def see(self, frame: av.VideoFrame) -> None:
        small = self.reformatter.reformat(frame, width=SMALL, height=SMALL, format="gray", threads=1).to_ndarray()
        now = small.astype(np.int16)
        self.amounts.append(0.0 if self.before is None else float(np.abs(now - self.before).mean()))
        self.before = now


def in_order(
    path: str,
    index: PacketIndex,
    wanted: tuple[int, ...],
    threads: int,
    stream: int | None,
    change: Change | None = None,
    hand: Hand | None = None,
) -> tuple[Pictures, list[float], float | None]:
    """Decode the whole stream: the wanted frames, the times of all and when the last one goes, where the file says it.
    `change` is shown every frame.

    Refuses a file that fails midway.
    """
    pictures, end, start, last = Pictures(path, threads, hand=hand), None, None, None
    seconds: list[float] = []
    there = len(index.packets)
    keep = set(wanted)
    with opened(path, threads, stream) as (container, video):
        tick = time_base(path, video)
        try:
            for frame in container.decode(video):
                count = len(seconds)
                if count == 0:
                    start, pictures.matrix = frame.pts, display_matrix(frame) or UPRIGHT
                last = frame.pts
                if frame.is_corrupt:  # painted over by the decoder, and so is what leans on it, up to the next keyframe
                    raise VideoError(path, f"decoded {count} of {there} frames (the next one is damaged)")
                if start is None or last is None:
                    seconds.append(float(count / (video.guessed_rate or 1)))
                    end = None
                else:
                    seconds.append(float((last - start) * tick))
                    gone = index.gone(last, frame.duration)
                    end = None if gone is None else float((gone - start) * tick)
                if count in keep:
                    pictures.keep(count, frame, seconds[-1])
                if change is not None:
                    change.see(frame)
        except av.FFmpegError as error:
            raise VideoError(path, f"decoded {len(seconds)} of {there} frames ({error.strerror})") from None
    count = len(seconds)
    if count == 0 or (count < there and last is not None and index.times and last < index.times[-1]):
        raise VideoError(path, f"decoded {count} of {there} frames (the rest is missing)")
    return pictures, seconds, end
