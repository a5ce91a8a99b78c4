"""PyAV: exactly the frames a full decode returns at the chosen indices, by seeking where that is certain.

A file with a frame that FFmpeg itself flags as damaged is refused. Damage that it does not notice is shown as other
programs show it; an HEVC slice that ends early is such damage, and leaves in the picture whatever the memory held, so
that not even two full decodes (with one thread and with four) agree on it.
"""

import av

from intpv.video.container import opened, packet_index
from intpv.video.decoded import Decoded
from intpv.video.error import VideoError
from intpv.video.packets import PacketIndex
from intpv.video.pictures import Pictures
from intpv.video.sample import Sampler
from intpv.video.seek import by_seek


def read(path: str, num_frames: int, sampler: Sampler, threads: int, stream: int | None) -> Decoded:
    """Sample F frames. The header's frame count is not trusted: packets are counted, and frames when decoding all."""
    with opened(path, threads, stream) as (container, video):
        index = packet_index(path, container, video)
        seconds = index.seconds(video.time_base)
    if seconds is None and sampler.needs_times:
        _, seconds = in_order(path, index, (), threads, stream)
    count = len(index.packets) if seconds is None else len(seconds)
    indices = sampler.indices(count, num_frames, seconds)
    pictures = None
    if index.can_seek:
        runs = index.plan(sorted(set(indices)))
        if not index.prefers_order(runs):
            pictures = by_seek(path, index, runs, threads, stream)
    if pictures is None:
        pictures, seconds = in_order(path, index, indices, threads, stream)
        if len(seconds) != count:  # packets that show nothing: sample again from what is really there
            count = len(seconds)
            indices = sampler.indices(count, num_frames, seconds)
            pictures, _ = in_order(path, index, indices, threads, stream)
    images = tuple(pictures.images[i] for i in indices)
    return Decoded(images, tuple(pictures.seconds[i] for i in indices), indices, count, "pyav", av.__version__)


def in_order(
    path: str, index: PacketIndex, wanted: tuple[int, ...], threads: int, stream: int | None
) -> tuple[Pictures, list[float]]:
    """Decode the whole stream: the wanted frames and the times of all; refuses a file that fails midway."""
    pictures, seconds, start, last = Pictures(path, threads), [], None, None
    there = len(index.packets)
    keep = set(wanted)
    with opened(path, threads, stream) as (container, video):
        try:
            for frame in container.decode(video):
                count = len(seconds)
                start = frame.pts if count == 0 else start
                last = frame.pts
                if frame.is_corrupt:  # painted over by the decoder, and so is what leans on it, up to the next keyframe
                    raise VideoError(path, f"decoded {count} of {there} frames (the next one is damaged)")
                timed = start is not None and last is not None
                seconds.append(float((last - start) * video.time_base if timed else count / (video.guessed_rate or 1)))
                if count in keep:
                    pictures.keep(count, frame, seconds[-1])
        except av.FFmpegError as error:
            raise VideoError(path, f"decoded {len(seconds)} of {there} frames ({error.strerror})") from None
    count = len(seconds)
    if count == 0 or (count < there and last is not None and index.times and last < index.times[-1]):
        raise VideoError(path, f"decoded {count} of {there} frames (the rest is missing)")
    return pictures, seconds
