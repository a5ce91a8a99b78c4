"""EgoSchema (egoschema/EgoSchema): questions.json, subset_answers.json and videos/<q_uid>.mp4, one question a video."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from intpv.errors import BadInput

from .annotation import Row, json_rows, read_annotation, unique
from .benchmark import Question
from .prompt import lettered
from .published import Ask, MultipleChoice

log = logging.getLogger(__name__)

OPTIONS = [f"option {index}" for index in range(5)]


@dataclass(frozen=True)
class EgoSchema(MultipleChoice):
    """Three minutes of daily life. Only the subset's 500 answers are public; `full` is for a submission."""

    name = "egoschema"
    title = "EgoSchema"
    counts: ClassVar[Mapping[str, int]] = {"subset": 500, "full": 5031}

    split: str = "subset"

    @property
    def file(self) -> Path:
        return self.folder / "questions.json"

    def asked(self) -> Iterator[Ask]:
        file = self.folder / "subset_answers.json"
        answers = read_annotation(file, dict)
        questions = unique(json_rows(self.file), "q_uid")
        if alone := next((identity for identity in answers if identity not in questions), None):
            raise BadInput(f"{file}: q_uid must be one of {self.file}, got {alone}")
        if self.split == "full":
            unknown = len(questions) - len(answers)
            log.warning("egoschema: %d questions have no public answer and count as wrong", unknown)
        for identity, row in questions.items():
            options, text = [row.text(option) for option in OPTIONS], row.text("question")
            if identity in answers:
                index = Row(file, f"key {identity}", {"answer": answers[identity]}).whole("answer", 0, 4)
                yield Ask(identity, self.choice(identity, "subset", text, options, options[index]))
            elif self.split == "full":
                asked = lettered(self.prompt, self.option or "", text, options)
                yield Ask(identity, Question(identity, "unpublished", asked, tuple(options), ""))
