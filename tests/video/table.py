"""Which frames each decoder returns, as a table: python -m tests.video.table

Right frames of 64 sampled ones out of each numbered clip of numbered.py; "all" only where none is wrong.
"""

import tempfile
from functools import cache
from pathlib import Path

from intpv.video.decoded import DECODERS
from tests.video.numbered import CLIPS, answered
from tests.video.streams import STREAMS, encode

FRAMES = 64


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def encoded(name: str) -> Path:
            suffix, codec, options = STREAMS[name]
            return encode(Path(folder) / f"{name}.{suffix}", codec, options)

        print(f"| clip | {' | '.join(DECODERS)} |\n| --- |{' --- |' * len(DECODERS)}")
        for number, (name, clip) in enumerate(CLIPS.items()):
            place = Path(folder) / str(number)
            place.mkdir()
            path = clip.make(place, encoded)
            print(f"| {name} | {' | '.join(_cell(answered(clip, path, one, FRAMES)) for one in DECODERS)} |")


def _cell(answer: list[tuple[int, int | None]] | str) -> str:
    if isinstance(answer, str):
        return f"refused: {answer}"
    wrong = [(due, seen) for due, seen in answer if due != seen]
    if not wrong:
        return "all"
    misread = sum(seen is None for _, seen in wrong)
    off = [abs(due - seen) for due, seen in wrong if seen is not None]
    how = [f"off by up to {max(off, default=0)}"] * bool(off) + [f"{misread} not upright or unreadable"] * bool(misread)
    return f"{len(wrong)} of {len(answer)} wrong, {', '.join(how)}"


if __name__ == "__main__":
    main()
