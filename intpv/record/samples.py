"""Samples: one line of JSON per question, and which lines of an interrupted run can be kept."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import groupby

KEYS = (
    "id",  # of the question, the same in every cell
    "video",
    "kind",
    "labels",
    "question",
    "options",
    "answer",
    "prediction",
    "correct",
    "valid",  # whether the prediction is one of the options
    "ceiling",
    "error",  # null, or why the question has no prediction
)


def to_line(record: Mapping) -> str:
    """One record as a line: the keys above in their order, then further ones by name. NaN raises ValueError."""
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise ValueError(f"question {record.get('id')} lacks {', '.join(missing)}")
    for key in ("id", "video"):
        if not isinstance(record[key], str):
            raise ValueError(f"{key} must be a string, got {record[key]!r}")
    ordered = {key: record[key] for key in (*KEYS, *sorted(set(record) - set(KEYS)))}
    try:
        return json.dumps(ordered, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"question {record['id']} cannot be written as JSON: {error}") from None


def parse(content: bytes) -> list[dict]:
    """The records of all whole lines; one that a crash has torn is left out, and its video is then incomplete."""
    records = []
    for line in content.split(b"\n"):
        with suppress(ValueError):  # neither JSON nor, cut inside a character, text
            records.append(json.loads(line))
    return records


def complete(records: Iterable[dict], expected: Mapping[str, int]) -> list[dict]:
    """Records of the videos that have all their questions; others were partly written, or written twice.

    `expected` gives each video's number of questions; videos it does not name are left out.
    """
    by_video = groupby(sorted(records, key=lambda record: record["video"]), key=lambda record: record["video"])
    kept = []
    for video, group in by_video:
        lines = list(group)
        if len(lines) == len({line["id"] for line in lines}) == expected.get(video):
            kept += lines
    return kept
