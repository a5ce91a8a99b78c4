"""decord: a faster start for a few frames of VP8, VP9 and of H.264 and H.265 with closed GOPs.

Elsewhere it returns wrong frames without an error: open GOPs, intra refresh, MPEG-4 with B-frames and transport
streams. AV1, edit lists and rotated pictures of some widths are refused; tests/video/test_numbered.py lists it all. It
takes the stream FFmpeg calls best, which need not be the first. One reader per call: those shared across threads or
forks hang.

PyAV opens the file first: which containers are videos, when each frame is shown and how it is turned is one answer for
both decoders. decord has no times for short mkv and avi files, opens playlists, and does not mirror.
"""

import os
import re
from typing import cast

import av
import decord
from av.video.codeccontext import VideoCodecContext
from decord._ffi.base import DECORDError

from intpv.errors import BadInput, VideoError
from intpv.video.container import opened, packet_index, time_base
from intpv.video.decoded import Decoded, Hand
from intpv.video.sampling import Sampler
from intpv.video.seek import UPRIGHT, display_matrix, turn


def read(
    path: str, num_frames: int, sampler: Sampler, threads: int, stream: int | None, hand: Hand | None = None
) -> Decoded:
    """Sample F frames of what decord counts in the file."""
    if stream is not None:
        raise BadInput(f"video.decoder=decord cannot choose a stream, got stream {stream}; use video.decoder=pyav")
    if sampler.needs_change:
        raise BadInput("video.sampling=change looks at all pictures with video.decoder=pyav alone, got decord")
    with opened(path, threads, stream) as (container, video):
        index = packet_index(path, container, video)
        tick = time_base(path, video)
        seconds = index.seconds(tick)
        if seconds is None:
            raise VideoError(path, "its frames have no times, which decord cannot make up for; use video.decoder=pyav")
        end = index.end(tick)
    _check_turn(path, threads)
    try:
        # an absolute name is never read as a protocol
        reader = decord.VideoReader(os.path.abspath(path), num_threads=threads)
        count = len(reader)
        if count != len(seconds):
            raise VideoError(path, f"decord counts {count} of {len(seconds)} frames; use video.decoder=pyav")
        indices = sampler.indices(count, num_frames, seconds, end)
        images = reader.get_batch(list(indices)).asnumpy()
    except (RuntimeError, DECORDError) as error:
        raise VideoError(path, f"decord cannot decode it ({_reason(error)})") from None
    if hand:  # decord has made all of them by then
        for place, image in dict(zip(indices, images, strict=True)).items():
            hand(place, image)
    shown = () if hand else tuple(images)
    return Decoded(shown, tuple(seconds[i] for i in indices), indices, count, "decord", decord.__version__)


def _check_turn(path: str, threads: int) -> None:
    """Refuse what decord would not turn as displayed: it knows quarter turns, and the container's word alone."""
    with opened(path, threads, None) as (container, video):
        # is not told what the container says; PyAV's hints know of a few names alone that they are a video's
        apart = cast(VideoCodecContext, av.CodecContext.create(video.codec_context.name, "r"))
        apart.extradata, apart.options = video.codec_context.extradata, video.codec_context.options
        own: list[av.VideoFrame] = []
        every: list[av.VideoFrame] = []
        for packet in container.demux(video):
            own, every = own or apart.decode(packet), every or packet.decode()
            if own and every:
                break
    said = display_matrix(every[0]) if every else None
    swapped, left, up = turn(path, said or UPRIGHT)
    if swapped ^ left ^ up or (own and display_matrix(own[0])):
        raise VideoError(path, "is displayed mirrored, or turned by its codec; use video.decoder=pyav")


def _reason(error: Exception) -> str:
    """The first line of the message, without decord's own time, file and line: a stack trace follows it."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"^((\[[\d:]+\] )?\S+\.(cc|h):\d+: )+", "", first)
