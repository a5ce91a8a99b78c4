"""TGIF-QA FrameQA (YunseokJANG/tgif-qa): Test_frameqa_question.csv, tab-separated, and videos/<gif_name>.mp4 or .gif.

The task that Video-ChatGPT and Video-LLaVA call TGIF. Its key column is not unique; vid_id is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .annotation import csv_rows, unique
from .benchmark import Question
from .prompt import lettered
from .published import ENDINGS, Ask, Published

KINDS = ("object", "number", "color", "location")  # types 0 to 3
COLUMNS = ("gif_name", "question", "answer", "type", "vid_id")


@dataclass(frozen=True)
class TgifQa(Published):
    """GIFs, answers of one word."""

    name = "tgif_qa"
    title = "TGIF-QA FrameQA"
    counts: ClassVar[Mapping[str, int]] = {"test": 13691}
    endings = (*ENDINGS, ".gif")

    @property
    def file(self) -> Path:
        return self.folder / "Test_frameqa_question.csv"

    def asked(self) -> Iterator[Ask]:
        for identity, row in unique(csv_rows(self.file, COLUMNS, "\t"), "vid_id").items():
            kind = KINDS[row.whole("type", 0, len(KINDS) - 1)]
            text = lettered(self.prompt, "", row.text("question"), ())
            yield Ask(row.text("gif_name"), Question(identity, kind, text, (), row.text("answer")))
