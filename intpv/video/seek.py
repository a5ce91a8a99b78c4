"""Seek: decode from the keyframes that matter, and notice whenever a frame is not the one the packets promise."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from intpv.video.container import opened
from intpv.video.packets import PacketIndex, Run
from intpv.video.pictures import Pictures

# what a decoder makes of damage depends on what it decoded before, so that only decoding in order repeats it
STRICT = "crccheck+bitstream+buffer+explode"


def by_seek(path: str, index: PacketIndex, runs: list[Run], threads: int, stream: int | None) -> Pictures | None:
    """Decode only the runs. None as soon as a frame is not the one the packets promise: then decode in order.

    Damage in a part of the file that no run touches goes unseen. An index is a place among the times the packets
    promise; where a whole decode silently drops a damaged frame, its own count falls behind, and the times still agree.
    """
    pictures = Pictures(path, threads)
    with opened(path, threads, stream) as (container, video):
        if video.codec_context.name != "h264":  # there it would also refuse sound open GOPs; but H.264 flags its damage
            video.codec_context.options = {**video.codec_context.options, "err_detect": STRICT}
        try:
            # a file may start with frames that cannot be shown; then every index would be off
            if next(container.decode(video)).pts != index.times[0]:
                return None
            for run in runs:
                missing = set(run.targets)
                for position, frame in _frames_from(container, video, index, run):
                    if frame.is_corrupt:
                        return None
                    if not missing:
                        continue
                    if [frame.pts] != index.times[position : position + 1]:
                        return None
                    if position in missing:
                        missing.remove(position)
                        pictures.keep(position, frame, float((frame.pts - index.times[0]) * video.time_base))
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
    for time in (run.key.pts, run.key.dts):  # mkv seeks by display time, mp4 by decoding time
        if time is None:
            continue
        container.seek(time, stream=video, backward=True)
        packets = container.demux(video)
        first = next(packets)
        if first.is_keyframe and first.pts is not None and first.pts <= run.key.pts:
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
