"""TGIF-QA FrameQA: test_q.json, test_a.json and mp4/<video_name>.mp4, or YunseokJANG/tgif-qa's own tab-separated CSV.

The task that Video-ChatGPT and Video-LLaVA call TGIF; theirs is the first form. The CSV, Test_frameqa_question.csv, has
the authors' four types as kinds; its key column is not unique, vid_id is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from intpv.errors import BadInput

from .annotation import csv_rows, unique
from .benchmark import Question
from .paired_files import PairedFiles
from .prompt import lettered
from .published import ENDINGS, Ask

KINDS = ("object", "number", "color", "location")  # types 0 to 3
COLUMNS = ("gif_name", "question", "answer", "type", "vid_id")


@dataclass(frozen=True)
class TgifQa(PairedFiles):
    """GIFs, answers of one word. Kinds are the types of the CSV, of the JSON files question words."""

    name = "tgif_qa"
    title = "TGIF-QA FrameQA"
    counts: ClassVar[Mapping[str, int]] = {"test": 13691}
    endings = (*ENDINGS, ".gif")

    videos: str = "mp4"
    questions: str = "test_q.json"  # below root; or Test_frameqa_question.csv

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.questions != f"{self.split}_q.json" and not str(self.questions).endswith(".csv"):
            raise BadInput(f"data.questions must be {self.split}_q.json or end in .csv, got {self.questions}")

    @property
    def file(self) -> Path:
        return self.folder / self.questions

    def asked(self) -> Iterator[Ask]:
        return super().asked() if self.file.suffix == ".json" else self._of_authors()

    def _of_authors(self) -> Iterator[Ask]:
        for identity, row in unique(csv_rows(self.file, COLUMNS, "\t"), "vid_id").items():
            kind = KINDS[row.whole("type", 0, len(KINDS) - 1)]
            text = lettered(self.prompt, "", row.text("question"), ())
            yield Ask(row.text("gif_name"), Question(identity, kind, text, (), row.text("answer")))
