"""Progress: what a cell says of itself while it runs, as plain events."""

from collections.abc import Callable
from pathlib import Path


class Progress:
    """`emit` takes one event: {"event": started | video | done, ...}."""

    def __init__(self, emit: Callable[[dict], None]):
        self.emit = emit

    def cell_started(self, folder: Path, videos: int, done: int) -> None:
        self.emit({"event": "started", "cell": folder.name, "videos": videos, "done": done})

    def video_done(self, questions: int, fetched: bool) -> None:
        """`fetched`: neither decoded nor encoded here, it was at hand."""
        self.emit({"event": "video", "questions": questions, "fetched": fetched})

    def cell_done(self, folder: Path, metrics: dict) -> None:
        accuracy, coverage = metrics["accuracy"], metrics.get("coverage", 1)
        self.emit({"event": "done", "cell": folder.name, "accuracy": accuracy, "coverage": coverage})
