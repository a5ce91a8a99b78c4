"""Fuzz: odd files and damaged ones, and the count of what becomes of them: python -m tests.video.fuzz [seeds]"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from intpv.video.reader import VideoReader
from tests.video.family import family
from tests.video.streams import STREAMS, X264, encode
from tests.video.verdict import LAWFUL, VERDICTS, Shown, is_steady, sequential, verdict

SEEDS = 200
FLIPPED = (
    "short",
    "x264-closed",
    "x264-open",
    "x264-open-mkv",
    "x264-transport-stream",
    "x265-open",
    "vp9",
    "vp8",
    "mpeg4-avi",
)


def flipped(clip: Path, seeds: range) -> Iterator[tuple[Path, int]]:
    """(file, no turns) of the clip with one to sixteen bytes changed at random places; the same for the same seed."""
    content = np.frombuffer(clip.read_bytes(), dtype=np.uint8)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        data = content.copy()
        places = rng.integers(0, len(data), rng.integers(1, 17))
        data[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
        path = clip.with_stem(f"{clip.stem}-{seed}")
        path.write_bytes(data)
        yield path, 0
        path.unlink()


def count_flipped(reader: VideoReader, folder: Path, kind: str, seeds: range) -> tuple[Counter, list[str]]:
    """The counts for one of FLIPPED."""
    suffix, codec, options = STREAMS.get(kind, ("mp4", "libx264", X264))
    clip = encode(folder / f"{kind}.{suffix}", codec, options, 30 if kind == "short" else 700)
    return count(reader, flipped(clip, seeds), sequential(str(clip)))


def count(
    reader: VideoReader, files: Iterator[tuple[Path, int]], undamaged: Shown | None = None
) -> tuple[Counter, list[str]]:
    """How many files met which verdict, and a line for each that breaks the law.

    What breaks it once and never again is `unsteady`: FFmpeg conceals damage with memory that it has not written, so
    that the same bytes are, very rarely, refused in one decode and answered in another. So is what FFmpeg itself shows
    otherwise with another number of threads.
    """
    counts, broken = Counter(dict.fromkeys(VERDICTS, 0)), []
    for path, turns in files:
        word, line = verdict(reader, str(path), turns, undamaged)
        if word == "wrong":
            again = (verdict(reader, str(path), turns, undamaged)[0] for _ in range(5))
            word = "unsteady" if all(one in LAWFUL for one in again) or not is_steady(str(path)) else word
        counts[word] += 1
        if word not in (*LAWFUL, "unsteady"):
            broken.append(f"{word}: {line}")
    return counts, broken


def as_line(counts: Counter) -> str:
    return f"{counts.total()} files: " + ", ".join(f"{counts[word]} {word}" for word in VERDICTS)


def main(seeds: int = SEEDS) -> str:
    reader, total = VideoReader(timeout_s=30), Counter()
    with tempfile.TemporaryDirectory() as folder:
        counts, broken = count(reader, family(Path(folder)))
        total.update(counts)
        for kind in FLIPPED:
            counts, more = count_flipped(reader, Path(folder), kind, range(seeds))
            total.update(counts)
            broken += more
    return "\n".join([*broken, as_line(total)])


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:])))
