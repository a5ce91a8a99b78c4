"""Streams encoded by the tests themselves, and an independent judge: PyAV decoding a file from start to end."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

# b-adapt=0 forces B-frames; with open GOPs some frames shown before a keyframe come after it in the file
X264 = {"g": "48", "bf": "3", "x264-params": "b-adapt=0"}
X264_OPEN = {"g": "40", "bf": "5", "x264-params": "b-adapt=0:open-gop=1:b-pyramid=normal:ref=5"}
X265_OPEN = {"x265-params": "keyint=40:min-keyint=20:open-gop=1:bframes=6:b-adapt=0:log-level=none"}
STREAMS = {  # name -> (file suffix, encoder, its options); long enough that reading 8 frames seeks
    "x264-closed": ("mp4", "libx264", X264),
    "x264-no-b-frames": ("mp4", "libx264", {"g": "48", "bf": "0"}),
    "x264-open": ("mp4", "libx264", X264_OPEN),
    "x264-open-mkv": ("mkv", "libx264", X264_OPEN),
    "x264-open-short": ("mp4", "libx264", {"g": "4", "bf": "3", "x264-params": "open-gop=1:b-adapt=0"}),
    "x264-transport-stream": ("ts", "libx264", X264),
    "x265-default": ("mp4", "libx265", {"x265-params": "keyint=48:b-adapt=0:log-level=none"}),
    "x265-open": ("mp4", "libx265", X265_OPEN),
    "x265-open-mkv": ("mkv", "libx265", X265_OPEN),
    "vp9": ("webm", "libvpx-vp9", {"g": "48", "deadline": "realtime", "cpu-used": "8"}),
    "x264-intra-refresh": ("mp4", "libx264", {"g": "48", "x264-params": "intra-refresh=1"}),
    "vp8": ("webm", "libvpx", {"g": "48", "deadline": "realtime", "cpu-used": "8"}),
    "mpeg4-avi": ("avi", "mpeg4", {"g": "48", "bf": "2"}),
}
IN_ORDER = ("x264-intra-refresh", "vp8", "mpeg4-avi")  # read from start to end, because seeking is not certain there
OPEN = tuple(name for name in STREAMS if "open" in name or name == "x265-default")


def encode(path: Path, codec: str, options: dict, num_frames: int = 700, gap: int = 1, **muxer: str) -> Path:
    """A pattern of 8-pixel squares that never repeats; with `gap` 3 every other frame is shown three times as long."""
    squares = np.random.default_rng(0).integers(0, 256, (num_frames + 6, 8, 3), dtype=np.uint8)
    with av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base, stream.codec_context.thread_count = Fraction(1, 100), 1
        ticks = 0
        for i in range(num_frames):
            smooth = np.kron(squares[i : i + 6], np.ones((8, 8, 1), dtype=np.uint8))
            frame = av.VideoFrame.from_ndarray(smooth, format="rgb24")
            frame.pts, frame.time_base = ticks, Fraction(1, 100)
            ticks += 4 * (gap if i % 2 else 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def full_decode(path: Path, stream: int = 0) -> tuple[list[np.ndarray], list[float]]:
    """Every frame as stored (no rotation) and its time after the first, with nothing but a sequential decode."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams[stream]))
        times = [float((f.pts - frames[0].pts) * f.time_base) for f in frames]
        reformatter = VideoReformatter()  # one scaler for all frames: a new one each takes a millisecond
        return [reformatter.reformat(f, format="rgb24").to_ndarray() for f in frames], times


def remux(source, target, first=0, earlier=0.0, lost=None, **muxer):
    """Copy packets from number `first` on but the `lost` one of them, shown `earlier` seconds before."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=muxer) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate([packet for packet in old.demux(video=0) if packet.size][first:]):
            if number == lost:
                continue
            ticks = int(earlier / packet.time_base)
            packet.pts, packet.dts = packet.pts - ticks, None if packet.dts is None else packet.dts - ticks
            packet.stream = stream
            new.mux(packet)
    return target
