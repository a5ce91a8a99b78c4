"""NExT-QA, multiple choice (doc-doc/NExT-QA): <split>.csv, map_vid_vidorID.json and NExTVideo/<mapped path>.mp4."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from intpv.errors import BadInput

from .annotation import csv_rows, read_annotation
from .published import Ask, MultipleChoice

KINDS = (
    "CW",
    "CH",
    "TN",
    "TC",
    "TP",
    "DO",
    "DL",
    "DC",
)  # causal why, how; temporal next, current, previous; descriptive
GROUPS = {"C": "causal", "T": "temporal", "D": "descriptive"}
OPTIONS = [f"a{index}" for index in range(5)]


@dataclass(frozen=True)
class NextQa(MultipleChoice):
    """Five options each. Kinds are the paper's types, the label group its three groups; an id is video and qid."""

    name = "nextqa"
    title = "NExT-QA"
    counts: ClassVar[Mapping[str, int]] = {"test": 8564, "val": 4996}

    @property
    def file(self) -> Path:
        return self.folder / f"{self.split}.csv"

    def asked(self) -> Iterator[Ask]:
        mapping = self.folder / "map_vid_vidorID.json"
        paths, places = read_annotation(mapping, dict), dict[str, str]()
        for row in csv_rows(self.file, ("video", "question", "answer", "qid", "type", *OPTIONS)):
            video, kind = row.text("video"), row.text("type")
            if not isinstance(paths.get(video), str):
                raise row.fault("video", f"one of {mapping}", video)
            if kind not in KINDS:
                raise row.fault("type", f"one of {', '.join(KINDS)}", kind)
            identity = f"{video}/{row.text('qid')}"
            if identity in places:
                raise BadInput(
                    f"{row.file}, {row.place}: video and qid must be others than in {places[identity]}, got {identity}"
                )
            places[identity] = row.place
            options = [str(row.value(option)).strip() for option in OPTIONS]
            answer = options[row.whole("answer", 0, 4)]
            labels = {"group": GROUPS[kind[0]]}
            yield Ask(paths[video], self.choice(identity, kind, row.text("question"), options, answer, labels))
