"""videos.jsonl: each video's own figures (seconds, bytes), kept apart from samples.jsonl, which must not hold times."""

import json
import os
from pathlib import Path

from intpv.record.finite import finite


class VideoFigures:
    """Append a video's figures as it is answered; the last line of a video counts, a torn last line does not."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "videos.jsonl"

    def append(self, video: str, figures: dict[str, float]) -> None:
        line = json.dumps({"video": video, **finite(figures)}) + "\n"
        with self._file.open("ab+") as file:
            if file.tell():  # the last byte alone tells whether a crash tore the line before
                file.seek(-1, os.SEEK_END)
                line = line if file.read() == b"\n" else "\n" + line
            file.write(line.encode())

    def read(self) -> dict[str, dict[str, float]]:
        """Video -> figures."""
        figures: dict[str, dict[str, float]] = {}
        for line in self._file.read_text(encoding="utf-8").split("\n") if self._file.exists() else []:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            figures[record.pop("video")] = record
        return figures
