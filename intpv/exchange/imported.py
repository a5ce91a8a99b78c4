"""Imported predictions: samples out of another tool's file, and what of a cell its files must say."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from intpv.data.annotation import Row, read_text
from intpv.errors import BadInput
from intpv.record.samples import Sample

FORMATS = ("lmms_eval", "vlmevalkit", "video_llava", "video_mme", "egoschema")  # a module beside this one each
KEY = "--from"  # the setting that leads to a file
OPTION = re.compile(r"^\(?([A-Z])[.):] ?(.+)$")  # a line of a prompt: "A. red", "(A) red"


@dataclass(frozen=True)
class Imported:
    """What a file tells."""

    samples: Sequence[Sample]
    scored: bool  # whether it says which predictions are right
    model: str = "unknown"
    task: str = "unknown"
    frames: int = 0  # 0: not told
    stated: Mapping[str, float] | None = None  # metrics that the tool has written beside it


@dataclass(frozen=True)
class CellFacts:
    """What other tools' files say of a cell beside its samples."""

    model: str
    task: str
    frames: int
    time: datetime  # when the cell was done


def read_file(format: str, file: Path) -> Imported:
    """BadInput with file, line and field where it is not what the format says."""
    if not file.is_file():
        raise BadInput(f"{KEY} {format}: {file} is no file")
    return import_module(f"intpv.exchange.{format}").read(file)


def lettered_options(text: str) -> tuple[str, ...]:
    r"""Options out of a prompt: the last lines that are lettered from A on, one after the other; none is open-ended.

    >>> lettered_options("Which colour?\nA. red\nB. blue\nAnswer with the letter.")
    ('red', 'blue')
    """
    options: list[str] = []
    for line in text.split("\n"):
        found = OPTION.match(line.strip())
        if found and found[1] == "A":
            options = [found[2].strip()]
        elif found and options and found[1] == ascii_uppercase[len(options) % 26]:
            options.append(found[2].strip())
    return tuple(options) if len(options) > 1 else ()


def letter(text: str, options: Sequence[str]) -> str:
    """The letter of an option; the text itself where it is none.

    >>> letter("blue", ["red", "blue"]), letter("green", ["red", "blue"])
    ('B', 'green')
    """
    return ascii_uppercase[options.index(text)] if text in options and len(options) <= 26 else text


def meant(target: str, options: Sequence[str], by_index: bool) -> str:
    """The option that a target names by text, by letter or, where a whole file counts so, by index from 0.

    >>> meant("B", ["red", "blue"], False), meant("1", ["red", "blue"], True), meant("red", ["red", "blue"], False)
    ('blue', 'blue', 'red')
    """
    if by_index and target.isdecimal() and int(target) < len(options):
        return options[int(target)]
    if target in options:
        return target
    if len(target) == 1 and (place := ascii_uppercase.find(target)) in range(len(options)):
        return options[place]
    return target


def count_by_index(targets: Iterable[tuple[str, Sequence[str]]]) -> bool:
    """Whether all targets of a file are numbers that fit as indices: one that is not makes them texts or letters.

    Numbers that are all among their options, as those of counting questions, are texts.
    """
    closed = [(target, options) for target, options in targets if options]
    fit = all(target.isdecimal() and int(target) < len(options) for target, options in closed)
    return fit and any(target not in options for target, options in closed)


def sample_of(
    id: str,
    video: str,
    question: str,
    prediction: str | None,
    *,
    answer: str = "",
    options: Sequence[str] = (),
    kind: str = "question",
    labels: Mapping[str, Any] | None = None,
    correct: bool = False,
    valid: bool = True,
    error: str | None = None,
) -> Sample:
    """A line of samples.jsonl; without a prediction, and only then, it failed, for the reason `error`."""
    if prediction is None:
        correct = valid = False
    return Sample(
        id=id,
        video=video,
        kind=kind or "question",
        labels=dict(labels or {}),
        question=question,
        options=list(options),
        answer=answer,
        prediction=prediction,
        correct=correct,
        valid=valid,
        ceiling=None,
        error=(error or "no prediction in the file") if prediction is None else None,
    )


def unique_ids(file: Path, rows: Sequence[Row], field: str, samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples, one of each row; BadInput where there are none, or two whose id, the row's `field`, is one."""
    if not samples:
        raise BadInput(f"{file} holds no predictions")
    seen: dict[str, Row] = {}
    for row, sample in zip(rows, samples, strict=True):
        if (first := seen.setdefault(sample["id"], row)) is not row:
            raise row.fault(field, f"another than in {first.place}", sample["id"])
    return samples


def named_apart(ids: Sequence[str], numbers: Sequence[str]) -> Sequence[str]:
    """The ids where each is there and is one alone; else the rows' numbers, for some tasks repeat theirs.

    >>> named_apart(["a", "b"], ["0", "1"]), named_apart(["a", "a"], ["0", "1"])
    (['a', 'b'], ['0', '1'])
    """
    return ids if all(ids) and len(set(ids)) == len(ids) else numbers


def list_rows(file: Path) -> list[Row]:
    """Entries of a JSON list of objects."""
    value = read_json_file(file)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BadInput(f"{file}: must hold a list of objects, got a {type(value).__name__}")
    return [Row(file, f"entry {number}", entry) for number, entry in enumerate(value, 1)]


def read_json_file(file: Path) -> Any:
    """BadInput with the line where it is no JSON."""
    try:
        return json.loads(read_text(file, KEY))
    except json.JSONDecodeError as error:
        raise BadInput(f"{file}, line {error.lineno}: must be JSON ({error.msg})") from None
