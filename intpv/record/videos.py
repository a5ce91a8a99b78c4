"""videos.jsonl: each video's own figures (seconds, bytes), kept apart from samples.jsonl, which must not hold times."""

import json
from pathlib import Path


class VideoFigures:
    """Append a video's figures as it is answered; the last line of a video counts, a torn last line does not."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "videos.jsonl"

    def append(self, video: str, figures: dict[str, float]) -> None:
        torn = self._file.exists() and not self._file.read_bytes().endswith(b"\n")
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps({"video": video, **figures}, allow_nan=False) + "\n")

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
