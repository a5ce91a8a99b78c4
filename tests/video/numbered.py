"""Numbered clips of every kind that real files come in: which frames a reader returns is read from the pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av

from intpv.video.reader import VideoError, decode
from intpv.video.sampling import Sampler
from tests.video.streams import X264, encode, number_in, remux

MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # degrees -> (a, b, c, d)
Encoded = Callable[[str], Path]  # name of one of STREAMS -> its file


@dataclass(frozen=True)
class Clip:
    """A file and what it shows: `count` frames, numbered from `first` on."""

    make: Callable[[Path, Encoded], Path]  # (folder for it, streams that exist already)
    first: int = 0
    count: int = 700
    turned: int = 0  # quarter turns counterclockwise that bring the displayed picture upright


def coded(name: str) -> Clip:
    return Clip(lambda folder, encoded: encoded(name))


def with_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Write the display matrix into the track's header (ISO/IEC 14496-12)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44  # after the box type, version, times, track, duration, layer and volume
    numbers = (round(number * (1 << 16)) for number in (a, b, 0, c, d))
    content[place : place + 20] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    path.write_bytes(content)
    return path


def two_streams(folder: Path) -> Path:
    """A small stream that comes first, and a larger one, which FFmpeg calls the best; numbers from 0 and from 1000."""
    small = encode(folder / "small.mp4", "libx264", X264, 60)
    large = encode(folder / "large.mp4", "libx264", X264, 60, size=(128, 96), first=1000)
    with av.open(str(small)) as one, av.open(str(large)) as two, av.open(str(folder / "two.mp4"), "w") as new:
        pairs = [(old, new.add_stream_from_template(old.streams.video[0])) for old in (one, two)]
        for old, stream in pairs:
            for packet in [packet for packet in old.demux(video=0) if packet.size]:
                packet.stream = stream
                new.mux(packet)
    return folder / "two.mp4"


def short(name: str, num_frames: int = 30, **settings) -> Callable[[Path, Encoded], Path]:
    return lambda folder, _: encode(folder / name, "libx264", X264, num_frames, movflags="faststart", **settings)


def turned(degrees: int, size: tuple[int, int] = (192, 128)) -> Clip:
    def make(folder: Path, encoded: Encoded) -> Path:
        return with_matrix(short("turned.mp4", size=size)(folder, encoded), *MATRICES[degrees])

    return Clip(make, count=30, turned=degrees // 90)


def shown_later(folder: Path, encoded: Encoded, seconds: float, suffix: str) -> Path:
    return remux(encoded("x264-closed"), folder / f"later.{suffix}", earlier=-seconds, avoid_negative_ts="disabled")


def edited(name: str) -> Clip:
    """An edit list that hides the first 64 frames: a group of pictures, and the start of one that others lean on."""

    def make(folder: Path, encoded: Encoded) -> Path:
        return remux(encoded(name), folder / "edited.mp4", earlier=64 / 25, avoid_negative_ts="disabled")

    return Clip(make, first=64, count=636)


CLIPS = {
    "H.264, closed GOP": coded("x264-closed"),
    "H.264, open GOP": coded("x264-open"),
    "H.264, open GOP, mkv": coded("x264-open-mkv"),
    "H.264, a keyframe every 4": coded("x264-open-short"),
    "H.264, intra refresh": coded("x264-intra-refresh"),
    "H.265, closed GOP": coded("x265-closed"),
    "H.265, open GOP": coded("x265-open"),
    "H.265, x265's default": coded("x265-default"),
    "VP8": coded("vp8"),
    "VP9": coded("vp9"),
    "MPEG-4": coded("mpeg4"),
    "MPEG-4, avi": coded("mpeg4-avi"),
    "AV1": coded("av1"),
    "transport stream": coded("x264-transport-stream"),
    "variable frame rate": Clip(short("variable.mp4", 120, gap=3), count=120),
    "one frame": Clip(short("one.mp4", 1), count=1),
    "upright": turned(0),
    "rotated 90": turned(90),
    "rotated 180": turned(180),
    "rotated 270": turned(270),
    "rotated 90, 48 wide": turned(90, (64, 48)),
    "odd size, H.264 4:4:4": Clip(short("odd.mp4", 60, size=(65, 49), pixels="yuv444p"), count=60),
    "odd size, MPEG-4": Clip(lambda folder, _: encode(folder / "a.avi", "mpeg4", {}, 60, size=(67, 51)), count=60),
    "edit list": edited("x264-closed"),
    "edit list, open GOP": edited("x264-open"),
    "edit list, H.265": edited("x265-open"),
    "no frame count, fragments": Clip(
        lambda folder, encoded: remux(encoded("x264-closed"), folder / "f.mp4", movflags="frag_keyframe+empty_moov")
    ),
    "no frame count, mkv": coded("x264-closed-mkv"),
    "two video streams": Clip(lambda folder, _: two_streams(folder), count=60),
    "starts at 3 s, mp4": Clip(lambda folder, encoded: shown_later(folder, encoded, 3, "mp4")),
    "starts at 3 s, mkv": Clip(lambda folder, encoded: shown_later(folder, encoded, 3, "mkv")),
}


def answered(clip: Clip, path: Path, decoder: str, num_frames: int) -> list[tuple[int, int | None]] | str:
    """(number due, number seen) of each frame; why not, where the file is refused.

    The due numbers follow from the clip, not from the count that the decoder claims.
    """
    try:
        video = decode(str(path), num_frames, Sampler(), decoder)
    except VideoError as error:
        return error.reason
    due = [clip.first + index for index in Sampler().indices(clip.count, num_frames)]
    seen = [number_in(frame.rot90(clip.turned, (1, 2)).permute(1, 2, 0).numpy()) for frame in video.frames]
    return list(zip(due, seen, strict=True))
