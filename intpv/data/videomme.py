"""Video-MME (BradyFU/Video-MME): a parquet file, or VLMEvalKit's TSV of it, and data/<videoID>.mp4.

Kinds are task_type, a video's regime is its duration: short, medium or long. Subtitles are subtitle/<videoID>.srt.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar

from intpv.bounds import check_text, check_whole
from intpv.errors import BadInput
from intpv.video.sampling import midpoint

from .annotation import Row, csv_rows, parquet_rows, read_text
from .benchmark import Question
from .prompt import check_template
from .published import Ask, MultipleChoice

DURATIONS = ("short", "medium", "long")
LETTERS = "ABCD"
COLUMNS = ("videoID", "duration", "domain", "sub_category", "task_type", "question", "options", "answer")
TSV = {"videoID": "video", "options": "candidates"}  # what VLMEvalKit calls them
MARK = re.compile(r"^([A-D])[.:)] *")
TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")  # of fonts and places, in subtitles


@dataclass(frozen=True)
class VideoMme(MultipleChoice):
    """900 videos of seconds to an hour, three questions each, four options. A question's id is its video and place."""

    name = "videomme"
    title = "Video-MME"
    counts: ClassVar[Mapping[str, int]] = {"test": 2700}
    endings = (".mp4", ".MP4", ".mkv")

    videos: str = "data"
    questions: str = "videomme/test-00000-of-00001.parquet"  # below root; or Video-MME.tsv
    subtitles: int | None = None  # so many of a video's, evenly drawn, before each question; None: none
    subtitle_prompt: str = "This video's subtitles are listed below:\n{subtitles}\n"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_text("data.questions", self.questions)
        check_whole("data.subtitles", self.subtitles, or_null=True)
        check_template("data.subtitle_prompt", self.subtitle_prompt, ("subtitles",))

    @property
    def file(self) -> Path:
        return self.folder / self.questions

    def asked(self) -> Iterator[Ask]:
        places = Counter[str]()
        told = cache(self._told)  # of a video, for its questions
        for row in self._rows():
            video, duration, letter = row.text("videoID"), row.text("duration"), row.text("answer")
            if duration not in DURATIONS:
                raise row.fault("duration", f"one of {', '.join(DURATIONS)}", duration)
            options = row.texts("options")
            if letter not in LETTERS[: len(options)]:
                raise row.fault("answer", f"one of {', '.join(LETTERS[: len(options)])}", letter)
            # "A. red" -> "red": the letters are the prompt's to write
            options = tuple(MARK.sub("", option) for option in options)
            labels = {"regime": duration, **{name: row.text(name) for name in ("domain", "sub_category")}}
            labels |= {name: row.text(name) for name in ("video_id", "question_id") if name in row.fields}
            identity, kind = f"{video}/{places[video]}", row.text("task_type")
            places[video] += 1
            question = self.choice(
                identity, kind, row.text("question"), options, options[LETTERS.index(letter)], labels
            )
            yield Ask(video, question if self.subtitles is None else _subtitled(question, told(video)))

    def _rows(self) -> Iterator[Row]:
        if self.file.suffix == ".parquet":
            return parquet_rows(self.file, COLUMNS)
        if self.file.suffix == ".tsv":
            return map(_of_tsv, csv_rows(self.file, [TSV.get(name, name) for name in COLUMNS], "\t"))
        raise BadInput(f"data.questions must end in .parquet or .tsv, got {self.questions}")

    def _told(self, video: str) -> str:
        """Before each question of a video; nothing for one of the 156 that have no subtitles."""
        file = self.folder / "subtitle" / f"{video}.srt"
        if not file.exists():
            return ""
        lines = spoken(read_text(file))
        drawn = dict.fromkeys(midpoint(len(lines), self.subtitles or 1)) if lines else {}
        return self.subtitle_prompt.format(subtitles="\n".join(lines[place] for place in drawn)) if drawn else ""


def spoken(srt: str) -> list[str]:
    r"""The texts of a SubRip file in order, without their numbers, times and markup; what is said twice in a row once.

    >>> spoken("1\n00:00:01,000 --> 00:00:02,500\n<i>Look</i>\nthere!\n\n2\n00:00:03,000 --> 00:00:04,000\nOh.\n")
    ['Look there!', 'Oh.']
    """
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", srt.replace("\r\n", "\n")):
        _, found, text = block.partition("-->")
        said = " ".join(TAG.sub("", text.partition("\n")[2]).replace(r"\N", " ").split())
        if found and said and lines[-1:] != [said]:
            lines.append(said)
    return lines


def _of_tsv(row: Row) -> Row:
    """With the names of the parquet, and the options as a list: pandas has written it as Python does."""
    fields = {**row.fields, **{name: row.fields[there] for name, there in TSV.items()}}
    try:
        fields["options"] = ast.literal_eval(str(fields["options"]))
    except (SyntaxError, ValueError):
        raise row.fault("candidates", "a list as Python writes it", fields["options"]) from None
    return replace(row, fields=fields)


def _subtitled(question: Question, told: str) -> Question:
    return replace(question, text=told + question.text, labels={**question.labels, "subtitles": bool(told)})
