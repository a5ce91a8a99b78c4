"""Samples: one line of JSON per question, and which lines of an interrupted run can be kept."""

import json
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NotRequired, TypedDict, TypeGuard

from intpv.record.damaged import parse_json, read_bytes


class Sample(TypedDict):
    """One line of samples.jsonl: a question and what became of it. Lines of other tools may lack the last three."""

    id: str  # of the question, the same in every cell
    video: str
    kind: str  # of question
    labels: Mapping[str, Any]  # for grouping results: the video's, the question's and the benchmark's of its bounds
    question: str
    options: Sequence[str]  # empty: open-ended
    answer: str  # the right one
    prediction: str | None  # None: could not be answered
    correct: bool
    valid: bool  # whether the prediction is one of the options
    ceiling: float | None  # expected score of a perfect observer of the frames shown; None: not known
    error: str | None  # why it could not be answered
    blind: NotRequired[float | None]  # expected score of the best guesser, who sees no frame; None: not known
    choice: NotRequired[str | None]  # the likeliest option; None: none was scored
    loglik: NotRequired[Sequence[float] | None]  # nats, of each option


VideoMetrics = dict[str, float | int]  # of one video: seconds, bytes, factors; intpv/metrics/names.py has the names
KEYS = tuple(key for key in Sample.__annotations__ if key in Sample.__required_keys__)  # in the order of a line


def to_line(record: Mapping[str, Any]) -> str:
    """One sample as a line: the keys above in their order, then further ones by name. ValueError for NaN and for what
    is no sample."""
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise ValueError(f"question {record.get('id')} lacks {', '.join(missing)}")
    for key in ("id", "video"):
        if not isinstance(record[key], str):
            raise ValueError(f"{key} must be a string, got {record[key]!r}")
    ordered = {key: record[key] for key in (*KEYS, *sorted(set(record) - set(KEYS)))}
    try:
        # half a character, which a file name may hold, is an escape in JSON too, and comes back as it was
        line = json.dumps(ordered, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
        return line.decode() + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"question {record['id']} cannot be written as JSON: {error}") from None


def parse(content: bytes) -> list[Sample]:
    """The records of all whole lines; what a crash has torn or somebody has spoilt is left out, and its video is then
    incomplete."""
    records = []
    for line in content.split(b"\n"):
        with suppress(ValueError):  # neither JSON nor, cut inside a character, text
            record = parse_json(line)
            if _is_whole(record):
                records.append(record)
    return records


def _is_whole(record: object) -> TypeGuard[Sample]:
    if not isinstance(record, dict) or not all(key in record for key in KEYS):
        return False
    return isinstance(record["id"], str) and isinstance(record["video"], str)


def strange(content: bytes) -> int:
    """How many lines are no records, the beginning of one at the end apart, which a killed run leaves."""
    *whole, last = content.split(b"\n")
    torn = last.startswith(b'{"id": ') or not last
    return sum(not parse(line) for line in [*whole, *([] if torn else [last])])


def complete(records: Iterable[Sample], expected: Mapping[str, Collection[str]]) -> list[Sample]:
    """Records of the videos that have all their questions; others were partly written.

    `expected` gives the ids of each video's questions; videos it does not name are left out. Of a line that was written
    twice one counts; two answers to one question are none.
    """
    by_video: dict[str, list[Sample]] = {}
    for record in records:
        by_video.setdefault(record["video"], []).append(record)
    kept: list[Sample] = []
    for video in sorted(by_video.keys() & expected.keys()):
        lines = {to_line(record): record for record in by_video[video]}.values()
        if sorted(line["id"] for line in lines) == sorted(expected[video]):
            kept += lines
    return kept


# Finite: metrics are numbers that JSON knows; one that is none is refused by its name.


def finite(metrics: Mapping[str, object]) -> dict[str, float | int | None]:
    """The same as plain numbers. ValueError, naming the metric, for NaN, infinity and what is no number."""
    plain: dict[str, float | int | None] = {}
    for name, value in metrics.items():
        number = value.item() if hasattr(value, "item") else value
        if not isinstance(number, float | int | None) or (number is not None and not math.isfinite(number)):
            raise ValueError(f"metric {name} must be a finite number or null, got {number!r}")
        plain[name] = number
    return plain


# videos.jsonl: each video's own figures (seconds, bytes), kept apart from samples.jsonl, which must not hold times.


class VideoFigures:
    """Append a video's figures as it is answered; the last line of a video counts, a torn last line does not."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "videos.jsonl"

    def append(self, video: str, figures: VideoMetrics) -> None:
        line = json.dumps({"video": video, **finite(figures)}) + "\n"
        with self._file.open("ab+") as file:
            if file.tell():  # the last byte alone tells whether a crash tore the line before
                file.seek(-1, os.SEEK_END)
                line = line if file.read() == b"\n" else "\n" + line
            file.write(line.encode())

    def exist(self) -> bool:
        """Whether any were written."""
        return os.path.lexists(self._file)

    def read(self) -> dict[str, VideoMetrics]:
        """Video -> figures, without those that are null. Raises Damaged where the file cannot be read."""
        figures: dict[str, VideoMetrics] = {}
        for line in (read_bytes(self._file) or b"").split(b"\n"):
            with suppress(ValueError):  # torn by a crash, or spoilt
                record = parse_json(line)
                if isinstance(record, dict) and isinstance(video := record.pop("video", None), str):
                    figures[video] = {name: value for name, value in finite(record).items() if value is not None}
        return figures
