"""EgoSchema (egoschema/EgoSchema): questions.json, subset_answers.json and videos/<q_uid>.mp4, one question a video."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from intpv.errors import BadInput

from .annotation import Row, json_rows, read_annotation, unique
from .published import Ask, MultipleChoice

OPTIONS = [f"option {index}" for index in range(5)]


@dataclass(frozen=True)
class EgoSchema(MultipleChoice):
    """Three minutes of daily life. Only the subset's 500 answers are public: no other question is asked."""

    name = "egoschema"
    title = "EgoSchema"
    counts: ClassVar[Mapping[str, int]] = {"subset": 500}

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
        for identity, row in questions.items():
            if identity in answers:
                index = Row(file, f"key {identity}", {"answer": answers[identity]}).whole("answer", 0, 4)
                options = [row.text(option) for option in OPTIONS]
                yield Ask(identity, self.choice(identity, "subset", row.text("question"), options, options[index]))
