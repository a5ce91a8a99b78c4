"""VLMEvalKit: <model>_<dataset>.xlsx or .tsv, the data set's own columns and `prediction`, a row per `index`.

Its _score file has `score` too: 1, 0, or -1 where no answer could be read, which its means leave out; here it is wrong
and invalid. "Failed to obtain answer via API." is no prediction. xlsx takes openpyxl.
"""

import ast
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from intpv.data.annotation import Row, csv_rows
from intpv.errors import BadInput
from intpv.record.atomic import write_bytes, write_text
from intpv.record.samples import Sample

from .imported import KEY, CellFacts, Imported, count_by_index, letter, meant, named_apart, sample_of, unique_ids

FAILED = "Failed to obtain answer via API."
NAME = re.compile(r"(?P<model>.+?)_(?P<task>[^_]+(?:_(?P<frames>\d+)frame|_[\d.]+fps)?)(?:_subs?)?(?:_score)?")
KINDS = ("task_type", "question_type", "question_category", "dim", "category", "type")
NO_LABELS = ("index", "id", "video", "question", "answer", "candidates", "options", "prediction", "score", "video_path")
COLUMNS = ("index", "video", "question", "answer", "candidates", "task_type", "prediction", "score", "id", "error")
MOST = 32_767  # characters of a cell of xlsx


def read(file: Path) -> Imported:
    """Of a .tsv or an .xlsx; BadInput for another ending or where index, question or prediction is no column."""
    rows = list(_rows(file))
    options = [_options(row) for row in rows]
    by_index = count_by_index((_cell(row, "answer"), one) for row, one in zip(rows, options, strict=True))
    ids = named_apart([_cell(row, "id") for row in rows], [row.text("index") for row in rows])
    samples = [_sample(row, one, by_index, id) for row, one, id in zip(rows, options, ids, strict=True)]
    named = NAME.fullmatch(file.stem)
    model, task, frames = (named["model"], named["task"], named["frames"]) if named else ("unknown", file.stem, None)
    scored = bool(rows) and "score" in rows[0].fields
    return Imported(unique_ids(file, rows, "index", samples), scored, model, task, int(frames or 0))


def write(samples: Sequence[Sample], facts: CellFacts, folder: Path, ending: str = ".tsv") -> list[Path]:
    """`folder`/<model>_<task>_<frames>frame.tsv, or .xlsx; answers are letters where there are options."""
    model, task = (re.sub(r"[^\w.-]+", "-", name).replace("_", "-") for name in (facts.model, facts.task))
    file = folder / f"{model}_{task}_{facts.frames}frame{ending}"
    folder.mkdir(parents=True, exist_ok=True)
    most = max((len(sample["options"]) for sample in samples), default=0)
    names = sorted({name for sample in samples for name in sample["labels"]} - {*COLUMNS, *ascii_uppercase})
    header = [*COLUMNS, *ascii_uppercase[:most], *names]
    table = [[fields.get(name, "") for name in header] for fields in map(_fields, range(len(samples)), samples)]
    if ending == ".xlsx":
        _write_xlsx(file, [header, *table])
    else:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter="\t", lineterminator="\n").writerows([header, *table])
        write_text(file, text.getvalue())
    return [file]


def _fields(number: int, sample: Sample) -> dict[str, Any]:
    options = list(sample["options"])
    said = {"prediction": FAILED if sample["prediction"] is None else sample["prediction"]}
    score = int(sample["correct"]) if sample["valid"] else -1
    fields = {"index": number, "video": sample["video"], "question": sample["question"], "score": score, **said}
    fields |= {"id": sample["id"], "error": sample["error"] or "", "task_type": sample["kind"]}
    fields |= {"answer": letter(sample["answer"], options), "candidates": repr(options) if options else ""}
    labels = {name: value for name, value in sample["labels"].items() if isinstance(value, str | int | float)}
    return {**labels, **fields, **dict(zip(ascii_uppercase, options, strict=False))}


def _sample(row: Row, options: Sequence[str], by_index: bool, identity: str) -> Sample:
    said = row.fields.get("prediction")
    text = "" if said is None else str(said)  # an empty cell is an empty answer: what failed says so
    prediction = None if FAILED in text else text
    score = _cell(row, "score")
    letters = set(ascii_uppercase[: len(options)])
    return sample_of(
        identity,
        _cell(row, "video") or identity,
        str(row.value("question")),
        prediction,
        answer=meant(_cell(row, "answer"), options, by_index),
        options=options,
        kind=next((kind for name in KINDS if (kind := _cell(row, name))), "question"),
        labels={
            name: value
            for name, value in row.fields.items()
            if name not in (*NO_LABELS, *KINDS, "error", *letters) and value not in (None, "")
        },
        correct=score in ("1", "1.0", "True"),
        valid=score not in ("-1", "-1.0"),
        error=_cell(row, "error") or (FAILED if prediction is None else None),
    )


def _options(row: Row) -> tuple[str, ...]:
    """`candidates` or `options`, a list as Python writes it, else the columns A, B, ..."""
    for name in ("candidates", "options"):
        if text := _cell(row, name):
            try:
                found = ast.literal_eval(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                raise row.fault(name, "a list of texts", text) from None
            if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
                raise row.fault(name, "a list of texts", text)
            return tuple(found)
    return tuple(text for name in ascii_uppercase if (text := _cell(row, name)))


def _cell(row: Row, name: str) -> str:
    value = row.fields.get(name)
    return "" if value is None else str(value).strip()


def _rows(file: Path) -> Iterator[Row]:
    needed = ("index", "question", "prediction")
    if file.suffix == ".tsv":
        yield from csv_rows(file, needed, "\t", KEY)
    elif file.suffix == ".xlsx":
        yield from _xlsx_rows(file, needed)
    else:
        raise BadInput(f"{KEY} vlmevalkit: the file must end in .tsv or .xlsx, got {file}")


def _xlsx_rows(file: Path, needed: Sequence[str]) -> Iterator[Row]:
    openpyxl = _openpyxl()
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except OSError as error:
        raise BadInput(f"{KEY}: {file} cannot be read ({error.strerror})") from None
    except Exception as error:  # whatever zip and XML readers say of a file that is none
        raise BadInput(f"{file} is no .xlsx ({type(error).__name__})") from None
    lines = book.worksheets[0].iter_rows(values_only=True)
    header = ["" if name is None else str(name).strip() for name in next(lines, ())]
    if missing := [name for name in needed if name not in header]:
        there = ", ".join(filter(None, header))[:60]
        raise BadInput(f"{file}, row 1: must have the columns {', '.join(missing)}, got {there or 'none'}")
    unescape = openpyxl.utils.escape.unescape
    for number, values in enumerate(lines, 2):
        fields: Mapping[str, Any] = dict(zip(header, values, strict=False))
        if any(value is not None for value in values):
            plain = {name: unescape(one) if isinstance(one, str) else one for name, one in fields.items() if name}
            yield Row(file, f"row {number}", plain)
    book.close()


def _write_xlsx(file: Path, table: Sequence[Sequence[Any]]) -> None:
    openpyxl = _openpyxl()
    book = openpyxl.Workbook()
    for number, values in enumerate(table, 1):
        for place, value in enumerate(values, 1):
            text = _escaped(openpyxl, value) if isinstance(value, str) else value
            if isinstance(text, str) and len(text) > MOST:
                raise BadInput(
                    f"{file}, row {number}: a cell of .xlsx takes {MOST} characters, got {len(text)}: use .tsv"
                )
            cell = book.active.cell(number, place, text if text != "" else None)
            if isinstance(text, str) and text:
                cell.data_type = "s"  # what begins with = is a text, not to be calculated
    content = io.BytesIO()
    book.save(content)
    write_bytes(file, content.getvalue())


def _escaped(openpyxl: Any, text: str) -> str:
    """As the format writes controls, _x0007_; a text that looks like one keeps its underscore the same way."""
    kept = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return re.sub("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ud800-\udfff]", lambda found: f"_x{ord(found[0]):04X}_", kept)


def _openpyxl() -> Any:
    try:
        import openpyxl
        import openpyxl.utils.escape
    except ImportError:
        raise BadInput("an .xlsx needs a package that is missing: pip install openpyxl; .tsv needs none") from None
    return openpyxl
