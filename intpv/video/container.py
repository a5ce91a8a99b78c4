"""Container: open a video file with PyAV and count its packets; every refusal names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from intpv.video.error import VideoError
from intpv.video.packets import ONE_FRAME_PER_PACKET, Packet, PacketIndex

# the largest picture of any level of H.264, HEVC and AV1; what claims more is damaged, and would take gigabytes.
# The machine's memory would be no good bound: the same file must be refused on every machine
MAX_PIXELS = 35_651_584


@contextmanager
def opened(path: str, threads: int, stream: int | None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its video stream, closed at the end; FFmpeg's errors come out as VideoError."""
    try:
        with _container(path) as container:
            video = _video_stream(path, container, stream)
            if video.codec_context is None:
                raise VideoError(path, "no decoder for its video codec")
            if video.width * video.height > MAX_PIXELS:
                raise VideoError(path, f"its picture of {video.width}x{video.height} is over {MAX_PIXELS} pixels")
            video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # sizes may change on the way
            video.codec_context.thread_count = threads
            video.codec_context.thread_type = "AUTO"
            yield container, video
    except av.FFmpegError as error:
        raise VideoError(path, f"not a readable video ({error.strerror})") from None


def packet_index(path: str, container: InputContainer, video: VideoStream) -> PacketIndex:
    """Read every packet of the stream, decode none."""
    every = [packet for packet in container.demux(video) if packet.size]
    # mp4 and mov list every sample in their header, so a shorter file has lost its end, or an edit list hides samples
    # up to a keyframe; elsewhere (mkv, avi) the count is absent or a guess
    if "mp4" in container.format.name and video.frames > len(every):
        there = _stored(path, video.index)
        if video.frames > there:
            raise VideoError(path, f"the file is cut off: {there} of {video.frames} frames")
    shown = [packet for packet in every if not packet.is_discard]
    if not shown:
        raise VideoError(path, "the video stream holds no frames")
    return PacketIndex(
        tuple(Packet(packet.pts, packet.dts, packet.is_keyframe) for packet in shown),
        regular=video.codec_context.codec.canonical_name in ONE_FRAME_PER_PACKET
        and len(shown) == len(every)
        and (video.frames == len(every) or (video.frames == 0 and _even([packet.pts for packet in shown])))
        and not any(packet.is_corrupt for packet in every),
    )


def _container(path: str, **options: str) -> InputContainer:
    # "file:" keeps names such as "a:b.mp4" from being read as protocols, the whitelist keeps playlists off the net
    options = {"protocol_whitelist": "file", **options}
    return av.open(f"file:{path}", options=options, metadata_errors="ignore")


def _stored(path: str, stream: int) -> int:
    """Packets in the file, those too that an edit list hides."""
    with _container(path, ignore_editlist="1") as container:
        return sum(packet.size > 0 for packet in container.demux(container.streams[stream]))


def _even(times: list[int | None]) -> bool:
    """Whether a stream that no header counts looks whole: a lost packet leaves a hole, and what leans on it is lost."""
    known = sorted(time for time in times if time is not None)
    steps = [later - earlier for earlier, later in pairwise(known)]
    return not steps or max(steps) <= 1.5 * min(steps)


def _video_stream(path: str, container: InputContainer, stream: int | None) -> VideoStream:
    """The asked stream, or the first one that is no cover picture."""
    videos = [video for video in container.streams.video if not video.disposition & Disposition.attached_pic]
    if not videos:
        raise VideoError(path, "the file has no video stream")
    if stream is None:
        return videos[0]
    for video in videos:
        if video.index == stream:
            return video
    raise VideoError(path, f"stream {stream} is no video stream, these are: {', '.join(str(v.index) for v in videos)}")
