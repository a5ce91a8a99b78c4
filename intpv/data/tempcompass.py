"""TempCompass (llyx97/TempCompass): questions/<split>.json, videos/<video_id>.mp4; options stand inside questions.

The splits are its tasks that have a right answer: multi-choice, yes_no, caption_matching. Captioning needs a judge.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .annotation import Row, read_annotation
from .benchmark import Question
from .prompt import lettered
from .published import Ask, Published

DIMENSIONS = ("action", "direction", "speed", "order", "attribute_change")
LETTERED = re.compile(r"^([A-Z])\. *(.+)$", re.MULTILINE)  # "A. dunking a basketball"
LABELLED = re.compile(r"^((?:Option|Caption|Sentence) [12AB]): *(.+)$", re.MULTILINE)  # of caption_matching
YES_NO = ("yes", "no")


@dataclass(frozen=True)
class TempCompass(Published):
    """Short clips, many of them shown reversed or sped up besides. Kinds are the five dimensions of time."""

    name = "tempcompass"
    title = "TempCompass"
    counts: ClassVar[Mapping[str, int]] = {"multi-choice": 1580, "yes_no": 2453, "caption_matching": 1503}

    split: str = "multi-choice"

    @property
    def asks_for_letters(self) -> bool:
        return self.split != "yes_no"

    @property
    def file(self) -> Path:
        return self.folder / "questions" / f"{self.split}.json"

    def asked(self) -> Iterator[Ask]:
        for video, by_dimension in read_annotation(self.file, dict).items():
            dimensions = Row(self.file, f"key {video}", by_dimension if isinstance(by_dimension, dict) else {})
            for dimension, entries in dimensions.fields.items():
                if dimension not in DIMENSIONS:
                    raise dimensions.fault("the dimension", f"one of {', '.join(DIMENSIONS)}", dimension)
                if not isinstance(entries, list):
                    raise dimensions.fault(dimension, "a list of questions", entries)
                for index, fields in enumerate(entries):
                    row = Row(self.file, f"{dimensions.place}, {dimension} {index + 1}", fields)
                    yield Ask(video, self._question(row, f"{self.split}/{video}/{dimension}/{index}", dimension))

    def _question(self, row: Row, identity: str, kind: str) -> Question:
        text, answer = row.text("question"), row.text("answer")
        if self.split == "yes_no":
            options: tuple[str, ...] = YES_NO
        else:
            # the label is part of an option, so that what the published answer is, "A. red", is one of them
            pattern, mark = (LETTERED, ". ") if self.split == "multi-choice" else (LABELLED, ": ")
            options = tuple(f"{label}{mark}{said.strip()}" for label, said in pattern.findall(text))
        if len(options) < 2:
            raise row.fault("question", "followed by its options, a line each", text)
        if answer not in options:
            raise row.fault("answer", f"one of its options, {', '.join(options)}", answer)
        return Question(identity, kind, lettered(self.prompt, "", text, ()), options, answer)
