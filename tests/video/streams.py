"""Streams encoded by the tests themselves, and two judges of what is read from them.

One is PyAV decoding a file from start to end; the other needs no decoder's word: every frame carries its own number.
"""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

# one quantiser for all frames: with a bit rate x264 writes other bytes each time, so that the fuzz damages another file
# no scene cuts: keyframes stand where the options put them; b-adapt=0 forces B-frames; with open GOPs some
# frames shown before a keyframe come after it in the file
QP = {"qp": "30"}
X264 = {**QP, "g": "48", "bf": "3", "x264-params": "scenecut=0:b-adapt=0"}
X264_OPEN = {**QP, "g": "40", "bf": "5", "x264-params": "scenecut=0:b-adapt=0:open-gop=1:b-pyramid=normal:ref=5"}
X265_OPEN = {"x265-params": "keyint=40:min-keyint=20:scenecut=0:open-gop=1:bframes=6:b-adapt=0:log-level=none"}
STREAMS = {  # name -> (file suffix, encoder, its options); long enough that reading 8 frames seeks
    "x264-closed": ("mp4", "libx264", X264),
    "x264-closed-mkv": ("mkv", "libx264", X264),
    "x264-no-b-frames": ("mp4", "libx264", {**QP, "g": "48", "bf": "0", "x264-params": "scenecut=0"}),
    "x264-open": ("mp4", "libx264", X264_OPEN),
    "x264-open-mkv": ("mkv", "libx264", X264_OPEN),
    "x264-open-short": (
        "mp4",
        "libx264",
        {**QP, "g": "4", "bf": "3", "x264-params": "scenecut=0:open-gop=1:b-adapt=0"},
    ),
    "x264-transport-stream": ("ts", "libx264", X264),
    "x265-closed": ("mp4", "libx265", {"x265-params": "keyint=48:scenecut=0:open-gop=0:b-adapt=0:log-level=none"}),
    "x265-default": ("mp4", "libx265", {"x265-params": "keyint=48:b-adapt=0:log-level=none"}),
    "x265-open": ("mp4", "libx265", X265_OPEN),
    "x265-open-mkv": ("mkv", "libx265", X265_OPEN),
    "vp9": ("webm", "libvpx-vp9", {"g": "48", "deadline": "realtime", "cpu-used": "8"}),
    "x264-intra-refresh": ("mp4", "libx264", {**QP, "g": "48", "x264-params": "scenecut=0:intra-refresh=1"}),
    "vp8": ("webm", "libvpx", {"g": "48", "deadline": "realtime", "cpu-used": "8"}),
    "mpeg4-avi": ("avi", "mpeg4", {"g": "48", "bf": "2"}),
    "mpeg4": ("mp4", "mpeg4", {"g": "48", "bf": "2"}),
    "av1": ("mp4", "libsvtav1", {"preset": "12", "crf": "2", "g": "48"}),
}
# read from start to end, because seeking is not certain there
IN_ORDER = ("x264-intra-refresh", "vp8", "mpeg4-avi", "mpeg4")
OPEN = tuple(name for name in STREAMS if "open" in name or name == "x265-default")


def picture(number: int, squares: np.ndarray, width: int = 64, height: int = 48) -> np.ndarray:
    """6 x 8 squares: four corners say which way is up, the two rows in the middle are `number` and its check."""
    grid = squares[:6].copy()
    grid[[0, 0, 5, 5], [0, 7, 0, 7]] = np.array([255, 0, 0, 0])[:, None]
    grid[2:4] = 255 * np.array([_checked(number) >> bit & 1 for bit in range(16)]).reshape(2, 8, 1)
    return grid[np.arange(height) * 6 // height][:, np.arange(width) * 8 // width]


def number_in(image: np.ndarray) -> int | None:
    """The number of a decoded picture (H, W, C) of any size; None where it cannot be read, or is not upright."""
    height, width = image.shape[:2]
    rows, columns = ((2 * np.arange(n) + 1) * side // (2 * n) for n, side in ((6, height), (8, width)))
    bright = image[rows][:, columns].mean(axis=-1) > 127
    if bright[[0, 0, 5, 5], [0, 7, 0, 7]].tolist() != [True, False, False, False]:
        return None
    code = sum(1 << bit for bit, on in enumerate(bright[2:4].flat) if on)
    return code % 4096 if code == _checked(code % 4096) else None


def _checked(number: int) -> int:
    """12 bits of number and 4 that a smeared picture is unlikely to get right."""
    return number + 4096 * ((7 * number + 3) % 13)


def encode(
    path: Path,
    codec: str,
    options: dict,
    num_frames: int = 700,
    gap: int = 1,
    size: tuple[int, int] = (64, 48),
    pixels: str = "yuv420p",
    first: int = 0,
    **muxer: str,
) -> Path:
    """Numbered pictures from `first` on; with `gap` 3 every other frame is shown three times as long."""
    squares = np.random.default_rng(0).integers(0, 256, (num_frames + 6, 8, 3), dtype=np.uint8)
    repeatable = {"fflags": "+bitexact"}  # no random number in Matroska's head
    with av.open(str(path), "w", options={**repeatable, **muxer}) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base, stream.codec_context.thread_count = Fraction(1, 100), 1
        ticks = 0
        for i in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(first + i, squares[i : i + 6], *size), format="rgb24")
            frame.pts, frame.time_base = ticks, Fraction(1, 100)
            ticks += 4 * (gap if i % 2 else 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if codec == "libsvtav1" and hasattr(os, "SCHED_OTHER"):
        # run by root, SVT-AV1 makes its caller a real-time process, and so all that is started by it from then on
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
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
