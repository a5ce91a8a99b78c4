"""Container: open a video file with PyAV and count its packets; every refusal names the file."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from intpv.errors import VideoError

# Packets: a stream's frames in the order of display and where decoding may start, known without decoding.


# codecs whose every packet is exactly one displayed frame; VP8, for one, has packets that show nothing
ONE_FRAME_PER_PACKET = frozenset({"h264", "hevc", "vp9", "av1"})
SHORT = 600  # frames: a clip this short is decoded whole, which needs no trust in its packets


@dataclass(frozen=True)
class Packet:
    """What the container says of one packet; times are in ticks of the stream's time base."""

    pts: int | None
    dts: int | None
    is_key: bool
    duration: int | None = None  # how long its frame stays on screen


@dataclass(frozen=True)
class Run:
    """Decode from one keyframe until the last of `targets` (display indices, ascending) has come out."""

    key: Packet
    targets: tuple[int, ...]
    cost: int  # packets from the keyframe to the last target


@dataclass(frozen=True)
class PacketIndex:
    """A stream's packets in file order. `regular` is False where packets cannot stand for displayed frames."""

    packets: tuple[Packet, ...]
    regular: bool
    limit: int | None = None  # ticks at which the file's header lets the stream end

    @cached_property
    def times(self) -> list[int]:
        """Display times in ascending order; a frame's index is its place in this list."""
        return sorted(packet.pts for packet in self.packets if packet.pts is not None)

    def seconds(self, time_base: Fraction) -> list[float] | None:
        """Each frame's time after the first; None where a packet has none of its own."""
        if len(self.times) < len(self.packets):
            return None
        return [float((time - self.times[0]) * time_base) for time in self.times]

    def end(self, time_base: Fraction) -> float | None:
        """When the last frame goes, after the first one came; None where the file does not say."""
        timed = ((packet.pts, packet.duration) for packet in self.packets if packet.pts is not None)
        gone = self.gone(*max(timed, key=lambda packet: packet[0]))
        return None if gone is None else float((gone - self.times[0]) * time_base)

    def gone(self, time: int, duration: int | None) -> int | None:
        """The tick at which a last frame goes that came at `time`: after its duration, or where an edit list ends."""
        if not duration:
            return None
        end = time + duration
        return self.limit if self.limit is not None and time < self.limit < end else end

    @property
    def can_seek(self) -> bool:
        """Whether index -> display time is certain: one distinct time per packet, and the file starts with a key."""
        times, first = self.times, self.packets[0]
        return self.regular and len(set(times)) == len(self.packets) and first.is_key and first.pts == times[0]

    def plan(self, targets: list[int]) -> list[Run]:
        """Split ascending display indices into runs, each from the last keyframe shown no later than its targets.

        Frames shown after a keyframe never need what came before it; those shown before it may (open GOP), which
        is why the keyframe is chosen by display time and not by its place in the file.
        """
        place = {packet.pts: position for position, packet in enumerate(self.packets)}
        keys = sorted(packet.pts for packet in self.packets if packet.is_key and packet.pts is not None)
        runs: list[Run] = []
        start = reached = -1  # places in the file: where the current run starts, how far it has to go
        for target in targets:
            time = self.times[target]
            key = place[keys[bisect_right(keys, time) - 1]]
            if runs and key <= reached + 1:  # going on is no dearer than seeking
                earlier = runs.pop().targets
            else:
                earlier, start, reached = (), key, -1
            reached = max(reached, place[time])
            runs.append(Run(self.packets[start], (*earlier, target), reached - start + 1))
        return runs

    def prefers_order(self, runs: list[Run]) -> bool:
        """Whether to decode everything: short clips, or runs that cover half of the file anyway."""
        return len(self.packets) <= SHORT or 2 * sum(run.cost for run in runs) >= len(self.packets)


# the largest picture of any level of H.264, HEVC and AV1; what claims more is damaged, and would take gigabytes.
# The machine's memory would be no good bound: the same file must be refused on every machine
MAX_PIXELS = 35_651_584

# FFmpeg's names of the containers whose files hold all that they show. A playlist (HLS, DASH, ffconcat, SDP, numbered
# pictures) shows other files, of which the hash of its own few lines says nothing; text is a film of a terminal to it
FORMATS = ("asf", "avi", "flv", "gif", "ivf", "matroska", "mov", "mpeg", "mpegts", "mxf", "nut", "ogg", "rm", "webm")


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


def time_base(path: str, video: VideoStream) -> Fraction:
    """Seconds in a tick of the stream's times."""
    if video.time_base is None:
        raise VideoError(path, "its times have no unit")
    return video.time_base


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
        tuple(Packet(packet.pts, packet.dts, packet.is_keyframe, packet.duration) for packet in shown),
        regular=video.codec_context.codec.canonical_name in ONE_FRAME_PER_PACKET
        and len(shown) == len(every)
        and (video.frames == len(every) or (video.frames == 0 and _even([packet.pts for packet in shown])))
        and not any(packet.is_corrupt for packet in every),
        # elsewhere it is a guess, and no edit list can cut the last frame short
        limit=(video.start_time or 0) + video.duration if "mp4" in container.format.name and video.duration else None,
    )


def _container(path: str, **options: str) -> InputContainer:
    # a mov may name other files too, which FFmpeg opens with enable_drefs alone
    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file", **options}
    try:
        # "file:" keeps names such as "a:b.mp4" from being read as protocols
        return av.open(f"file:{path}", options=options, metadata_errors="ignore")
    except av.ArgumentError:  # what FFmpeg says of a format that is not on the list
        raise VideoError(path, f"is in none of the containers that a video may have: {', '.join(FORMATS)}") from None


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
