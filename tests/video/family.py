"""Family: files as no one should make them, empty, cut, renamed, without permission, with names of all kinds."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.video.streams import X264, encode

NAMES = ("two words", 'it\'s "quoted"', "日本 ü", os.fsdecode(b"\xff"), "line\nbreak", "http:a", "-i", "%d", "$(x)`;")


def family(folder: Path) -> Iterator[tuple[Path, int]]:
    """(file, quarter turns counterclockwise from stored to displayed) of all but the flipped ones."""
    clip = encode(folder / "clip.mp4", "libx264", X264, num_frames=30, movflags="faststart")
    content = clip.read_bytes()
    written = {
        "empty.mp4": b"",
        "byte.mp4": content[:1],
        "text.mp4": b"not a video\n" * 99,
        "no_count.mp4": _zeroed_count(content),
        "turned.mp4": _turned(content),
        **{f"{name}.mp4": content for name in NAMES},
        **{f"{name}_text.mp4": b"not a video\n" for name in NAMES},
    }
    for suffix in ("mp4", "mkv", "ts"):
        whole = encode(folder / f"whole.{suffix}", "libx264", X264, num_frames=30).read_bytes()
        written |= {f"cut{tenth}.{suffix}": whole[: len(whole) * (2 * tenth + 1) // 20] for tenth in range(10)}
    written |= {f"front{tenth}.mp4": content[: len(content) * (2 * tenth + 1) // 20] for tenth in range(10)}
    for name, data in written.items():
        (folder / name).write_bytes(data)
        yield folder / name, 3 if name == "turned.mp4" else 0
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "forbidden.mp4").write_bytes(content)
    (folder / "forbidden.mp4").chmod(0)
    yield from ((folder / f"{name}.mp4", 0) for name in ("folder", "fifo", "loop", "forbidden", "gone", "a\0b"))
    yield _sound(folder / "sound.mp4"), 0
    yield encode(folder / "one.mp4", "libx264", X264, num_frames=1), 0
    yield encode(folder / "fragments.mp4", "libx264", X264, 30, movflags="frag_keyframe+empty_moov"), 0
    yield _two_streams(folder / "two.mp4", clip), 0
    yield _giant(folder / "giant.gif"), 0


def _zeroed_count(content: bytes) -> bytes:
    """The header says that the stream holds 0 samples: stsz is type, version, size of all, count."""
    place = content.index(b"stsz") + 12
    return content[:place] + bytes(4) + content[place + 4 :]


def _turned(content: bytes) -> bytes:
    """Displayed a quarter turn clockwise: the matrix (0, 1, -1, 0) in the track's header (ISO/IEC 14496-12)."""
    place = content.index(b"tkhd") + 44
    numbers = (0, 1 << 16, 0, -1 << 16, 0)
    return content[:place] + b"".join(n.to_bytes(4, "big", signed=True) for n in numbers) + content[place + 20 :]


def _sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def _two_streams(path: Path, clip: Path) -> Path:
    """The clip twice, as streams of their own."""
    with av.open(str(clip)) as first, av.open(str(clip)) as second, av.open(str(path), "w") as new:
        pairs = [(old, new.add_stream_from_template(old.streams.video[0])) for old in (first, second)]
        for old, stream in pairs:
            for packet in [packet for packet in old.demux(video=0) if packet.size]:
                packet.stream = stream
                new.mux(packet)
    return path


def _giant(path: Path) -> Path:
    """A picture whose header claims 65535 x 65535 pixels."""
    Image.new("P", (64, 48)).save(path)
    content = bytearray(path.read_bytes())
    content[6:10] = b"\xff" * 4
    path.write_bytes(content)
    return path
