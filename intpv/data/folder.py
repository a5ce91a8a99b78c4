"""folder: videos of your own, and one JSONL or CSV file with questions about them.

Columns: video (a path below the folder) and question; answer, options, kind and id may be left out. Options are a list,
in CSV written as JSON or with | between them. Every other column becomes a label that results can be grouped by.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from intpv.bounds import check_place, check_text, check_whole
from intpv.errors import BadInput

from .annotation import Row, VideoFiles, csv_rows, jsonl_rows
from .benchmark import Benchmark, Question, VideoItem
from .kinds import check_kinds, chosen_kinds
from .prompt import check_template, lettered

log = logging.getLogger(__name__)

COLUMNS = ("video", "question", "answer", "options", "kind", "id")
NEEDED = COLUMNS[:2]
DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Folder(Benchmark):
    """Questions keep their order within a video, videos that of their first question."""

    name = "folder"
    root: str = "videos"  # folder that the videos' paths are below
    questions: str = "questions.jsonl"  # in it; .jsonl, .csv or .tsv
    limit: int | None = None  # the first videos only; None: all
    kinds: Sequence[str] | None = None  # these kinds of question only; None: all
    prompt: str = "{question}"  # of questions without options
    choice_prompt: str = "{question}"  # of those with options; {options} shows them
    option: str = "{letter}. {option}"  # a line of {options}
    _cache: dict[str, list[VideoItem]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_place("data.root", self.root)
        check_text("data.questions", self.questions)
        check_whole("data.limit", self.limit, or_null=True)
        check_kinds(self.kinds)
        check_template("data.prompt", self.prompt, ("question",))
        check_template("data.choice_prompt", self.choice_prompt, ("question",), ("options",))
        check_template("data.option", self.option, ("option",), ("letter",))

    @property
    def asks_for_letters(self) -> bool:
        return "{options}" in self.choice_prompt and "{letter}" in self.option

    @property
    def split(self) -> str:
        return self.questions

    @cached_property
    def folder(self) -> Path:
        """Of the videos, ~ expanded."""
        return Path(self.root).expanduser()

    def items(self) -> list[VideoItem]:
        """Read once; a video that is not there fails its own questions when it is its turn."""
        if "items" not in self._cache:
            self._cache["items"] = self._items()
        return [*self._cache["items"]]

    def _items(self) -> list[VideoItem]:
        asked: dict[str, list[Question]] = {}
        places: dict[str, str] = {}  # question id -> where it stands
        for row in self._rows():
            video = self._video(row)
            mine = asked.setdefault(video, [])
            question = self._question(row, f"{_identity(video)}/{len(mine)}")
            if question.id in places:
                raise row.fault("id", f"another than in {places[question.id]}", question.id)
            places[question.id] = row.place
            mine.append(question)
        if not asked:
            raise BadInput(f"{self.folder / self.questions}: must hold at least 1 question, got 0")
        unanswered = sum(not question.answer for mine in asked.values() for question in mine)
        if unanswered:
            log.warning("folder: %d of %d questions have no answer and count as wrong", unanswered, len(places))
        chosen = [*chosen_kinds(asked, self.kinds, self.folder / self.questions).items()][: self.limit]
        files = VideoFiles(self.folder, ("",))
        items = [VideoItem(_identity(video), files.path(video), tuple(mine)) for video, mine in chosen]
        files.warn_of_missing(self.name, len(items))
        return items

    def _rows(self) -> Iterator[Row]:
        file = self.folder / self.questions
        if file.suffix == ".jsonl":
            return jsonl_rows(file)
        if file.suffix in DELIMITERS:
            return csv_rows(file, NEEDED, DELIMITERS[file.suffix])
        raise BadInput(f"data.questions must end in .jsonl, .csv or .tsv, got {self.questions}")

    def _video(self, row: Row) -> str:
        video = row.text("video")
        path = PurePosixPath(video)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise row.fault("video", f"a path below data.root={self.root}", video)
        return str(path)

    def _question(self, row: Row, identity: str) -> Question:
        options = _options(row)
        answer = row.text("answer") if row.fields.get("answer") not in (None, "") else ""
        if answer and options and answer not in options:
            raise row.fault("answer", f"one of its options, {', '.join(options)}", answer)
        text = lettered(self.choice_prompt if options else self.prompt, self.option, row.text("question"), options)
        labels: dict[str, Any] = {name: value for name, value in row.fields.items() if name not in COLUMNS}
        kind, own = (row.text(name) if row.fields.get(name) not in (None, "") else None for name in ("kind", "id"))
        return Question(own or identity, kind or "question", text, options, answer, labels)


def _options(row: Row) -> tuple[str, ...]:
    value = row.fields.get("options")
    if value in (None, "", []):
        return ()
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.lstrip().startswith("[") else value.split("|")
        except json.JSONDecodeError:
            raise row.fault("options", "a JSON list, or texts with | between them", value) from None
    options = Row(row.file, row.place, {"options": value}).texts("options")
    if not all(options) or len(set(options)) < len(options):
        raise row.fault("options", "texts that differ, none of them empty", ", ".join(options))
    return options


def _identity(video: str) -> str:
    """A name that a file can have, whatever folder the video lies in."""
    return video.replace("/", "--")
