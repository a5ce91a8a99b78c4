"""Paired files: open questions in one JSON file, their answers in another, joined by question id, not by place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intpv.errors import BadInput

from .annotation import Row, json_rows, unique
from .benchmark import Question
from .prompt import lettered
from .published import Ask, Published

QUESTION_WORDS = ("what", "who", "how", "when", "where")  # the five kinds of MSVD-QA and MSRVTT-QA


@dataclass(frozen=True)
class PairedFiles(Published):
    """<split>_q.json: video_name, question, question_id. <split>_a.json: answer, question_id and maybe type."""

    @property
    def file(self) -> Path:
        return self.folder / f"{self.split}_q.json"

    def kind(self, question: str, answer: Row) -> str:
        """Of a question: its question word, where the answers state no type."""
        return by_question_word(question)

    def video(self, name: str) -> str:
        """The video's file, without its ending."""
        return name

    def asked(self) -> Iterator[Ask]:
        """BadInput for a question without an answer, and for an answer without a question."""
        file = self.folder / f"{self.split}_a.json"
        answers = unique(json_rows(file), "question_id")
        questions = unique(json_rows(self.file), "question_id")
        if alone := next((identity for identity in answers if identity not in questions), None):
            raise BadInput(f"{file}, {answers[alone].place}: question_id must be one of {self.file}, got {alone}")
        for identity, row in questions.items():
            if identity not in answers:
                raise row.fault("question_id", f"one of {file}", identity)
            text, answer = row.text("question"), answers[identity]
            asked = lettered(self.prompt, "", text, ())
            kind = self.kind(text, answer)
            yield Ask(self.video(row.text("video_name")), Question(identity, kind, asked, (), answer.text("answer")))


def by_question_word(question: str) -> str:
    """The question's first word, as the kinds of MSVD-QA and MSRVTT-QA are told apart.

    >>> by_question_word("Who is it?"), by_question_word("is it a dog?")
    ('who', 'other')
    """
    first = question.split()[0].lower()
    return first if first in QUESTION_WORDS else "other"
