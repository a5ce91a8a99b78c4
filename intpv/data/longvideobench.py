"""LongVideoBench (longvideobench/LongVideoBench): lvb_val.json and videos/<video_path>; subtitles are not read.

The test split has no public answers, so it is none of the options here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from .annotation import json_rows, unique
from .published import Ask, MultipleChoice

GROUPS = (15, 60, 600, 3600)  # seconds


@dataclass(frozen=True)
class LongVideoBench(MultipleChoice):
    """Videos of seconds to an hour. Kinds are the 17 categories, regimes the most seconds of a group."""

    name = "longvideobench"
    title = "LongVideoBench"
    counts: ClassVar[Mapping[str, int]] = {"val": 1337}

    split: str = "val"

    @property
    def file(self) -> Path:
        return self.folder / "lvb_val.json"

    def asked(self) -> Iterator[Ask]:
        for identity, row in unique(json_rows(self.file), "id").items():
            group = row.whole("duration_group", GROUPS[0], GROUPS[-1])
            if group not in GROUPS:
                raise row.fault("duration_group", f"one of {', '.join(map(str, GROUPS))}", group)
            options = row.texts("candidates")
            answer = options[row.whole("correct_choice", 0, len(options) - 1)]
            labels = {"regime": f"{group}s", "topic": row.text("topic_category"), "level": row.text("level")}
            kind = row.text("question_category")
            video = str(PurePosixPath(row.text("video_path")).with_suffix(""))
            yield Ask(video, self.choice(identity, kind, row.text("question"), options, answer, labels))
