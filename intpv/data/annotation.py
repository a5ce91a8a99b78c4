"""Annotation files: rows out of JSON, JSONL, CSV or parquet, each with its file and place, to name a fault by."""

import csv
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intpv.bounds import shown
from intpv.errors import BadInput

log = logging.getLogger(__name__)

LETTERS = 60  # of a value in a message


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of an annotation file."""

    file: Path
    place: str  # "line 3" of a text file, "entry 3" of a JSON list, counted from 1; or a key
    fields: Mapping[str, Any]

    def fault(self, field: str, wanted: str, got: object) -> BadInput:
        """The one line for a field that cannot be used."""
        return BadInput(f"{self.file}, {self.place}: {field} must be {wanted}, got {_short(got)}")

    def value(self, field: str) -> Any:
        """BadInput where the field is missing; the fields that are there tell which file this is."""
        if field not in self.fields:
            there = _short(", ".join(map(str, self.fields)))
            raise BadInput(f"{self.file}, {self.place}: must have the field {field}, got {there}")
        return self.fields[field]

    def text(self, field: str) -> str:
        """A text with something in it; a number is taken as it is written."""
        value = self.fields.get(field)
        if type(value) is str and (text := value.strip()):  # nearly always, and asked some 300,000 times
            return text
        value = self.value(field)
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not text.strip():
            raise self.fault(field, "a text", value)
        return text.strip()

    def whole(self, field: str, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self.value(field)
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = least - 1
        if isinstance(value, bool | float) or not least <= number <= most:
            raise self.fault(field, f"a whole number from {least} to {most}", value)
        return number

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of at least two texts, empty ones among them."""
        value = self.value(field)
        if (
            not isinstance(value, list)
            or len(value) < 2
            or not all(isinstance(one, str | int | float) for one in value)
        ):
            raise self.fault(field, "a list of at least two texts", value)
        return tuple(str(one).strip() for one in value)


def read_text(file: Path, key: str = "data.root") -> str:
    """UTF-8, a byte order mark forgiven; BadInput that names the setting which leads to the file."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{key}: {file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{file}, line {line}: must be UTF-8, got the byte 0x{error.object[error.start]:02x}") from None


def read_annotation(file: Path, kind: type = list) -> Any:
    """A JSON file whose outermost value is a list, or a dict whose keys, ids as they are, must differ."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):  # json would keep the last one without a word
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise BadInput(f"{file}: every key must be there once, got {twice} twice")
        return fields

    try:
        value = json.loads(read_text(file), object_pairs_hook=once if kind is dict else None)
    except json.JSONDecodeError as error:
        raise BadInput(f"{file}, line {error.lineno}: must be JSON ({error.msg})") from None
    if not isinstance(value, kind):
        raise BadInput(f"{file}: must hold a {kind.__name__}, got a {type(value).__name__}")
    return value


def json_rows(file: Path) -> Iterator[Row]:
    """Of a JSON list of objects."""
    for index, fields in enumerate(read_annotation(file), 1):
        yield _row(file, f"entry {index}", fields)


def jsonl_rows(file: Path, key: str = "data.root") -> Iterator[Row]:
    """Of a file with one JSON object a line; blank lines are none."""
    for number, line in enumerate(read_text(file, key).split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInput(f"{file}, line {number}: must be JSON ({error.msg}), got {_short(line.strip())}") from None
        yield _row(file, f"line {number}", fields)


def csv_rows(file: Path, columns: Sequence[str], delimiter: str = ",", key: str = "data.root") -> Iterator[Row]:
    """Of a file with a header that has `columns`; a row that is too long or too short is refused, not shifted."""
    csv.field_size_limit(2**31 - 1)  # a prediction may be longer than the 128 KiB of Python's own limit
    reader = csv.reader(io.StringIO(read_text(file, key), newline=""), delimiter=delimiter)
    header = [name.strip() for name in next(reader, [])]
    if missing := [name for name in columns if name not in header]:
        separated = "tabs" if delimiter == "\t" else f"'{delimiter}'"
        raise BadInput(
            f"{file}, line 1: must have the columns {', '.join(missing)}, separated by {separated}, "
            f"got {_short(', '.join(header))}"
        )
    if twice := [name for name in header if header.count(name) > 1]:
        raise BadInput(f"{file}, line 1: must have every column once, got {twice[0]} twice")
    for values in reader:
        if not values:
            continue
        if len(values) != len(header):
            raise BadInput(f"{file}, line {reader.line_num}: must have {len(header)} columns, got {len(values)}")
        yield Row(file, f"line {reader.line_num}", dict(zip(header, values, strict=True)))


def parquet_rows(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Of a parquet file that has `columns`."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise BadInput(f"{file} needs a package that is not installed: pip install pyarrow") from None
    try:
        table = ParquetFile(file).read()
    except (OSError, ArrowException) as error:
        raise BadInput(f"data.root: {file} cannot be read ({_short(str(error).partition(chr(10))[0])})") from None
    if missing := [name for name in columns if name not in table.column_names]:
        raise BadInput(
            f"{file}: must have the columns {', '.join(missing)}, got {_short(', '.join(table.column_names))}"
        )
    for index, fields in enumerate(table.to_pylist(), 1):
        yield Row(file, f"row {index}", fields)


def unique(rows: Iterator[Row], field: str) -> dict[str, Row]:
    """Rows by a field that no two may share."""
    found: dict[str, Row] = {}
    for row in rows:
        identity = row.text(field)
        if identity in found:
            raise row.fault(field, f"another than in {found[identity].place}", identity)
        found[identity] = row
    return found


class VideoFiles:
    """Where the videos of a benchmark lie. Folders are listed once: thousands of files cost no look each."""

    def __init__(self, folder: Path, endings: Sequence[str] = (".mp4",)) -> None:
        self.folder, self.endings = folder, endings
        self._listed: dict[str, frozenset[str]] = {}
        self._found: dict[str, str] = {}
        self.missing: set[str] = set()

    def path(self, name: str) -> str:
        """Of the video `name`, a path without its ending: the first ending that is there, else the first of all."""
        if name not in self._found:
            paths = [os.path.join(self.folder, f"{name}{ending}") for ending in self.endings]
            there = [path for path in paths if self._is_there(path)]
            self._found[name] = (there or paths)[0]
            if not there:
                self.missing.add(paths[0])
        return self._found[name]

    def warn_of_missing(self, benchmark: str, videos: int) -> None:
        """One line before anything is decoded; their questions fail when it is their turn."""
        if self.missing:
            count = len(self.missing)
            log.warning("data=%s: %d of %d videos are not there, as %s", benchmark, count, videos, min(self.missing))

    def _is_there(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._listed[folder] = frozenset()
        return name in self._listed[folder]


def _row(file: Path, place: str, fields: Any) -> Row:
    if not isinstance(fields, dict):
        raise Row(file, place, {}).fault("it", "an object with named fields", fields)
    return Row(file, place, fields)


def _short(value: object) -> str:
    text = shown(value)
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}..."
