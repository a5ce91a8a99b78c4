"""Video-LLaVA: merge.jsonl, a line {id, question, answer, pred} per question; also what Video-ChatGPT's judge reads."""

import json
from collections.abc import Sequence
from pathlib import Path

from intpv.data.annotation import Row, jsonl_rows
from intpv.record.atomic import write_text
from intpv.record.samples import Sample

from .imported import KEY, CellFacts, Imported, sample_of, unique_ids


def read(file: Path) -> Imported:
    """It names no videos: each question counts as one, unless a line has a `video`, as those written here have.

    Its folders are called as the benchmark, and in it as the model.
    """
    rows = list(jsonl_rows(file, KEY))
    samples = unique_ids(file, rows, "id", [_sample(row) for row in rows])
    model, task = (place.name or "unknown" for place in file.resolve().parents[:2])
    return Imported(samples, scored=False, model=model, task=task)


def write(samples: Sequence[Sample], facts: CellFacts, folder: Path) -> list[Path]:
    """`folder`/merge.jsonl; a question that could not be answered has an empty prediction, which is never right."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for sample in samples:
        said = {"answer": sample["answer"], "pred": sample["prediction"] or ""}
        lines.append({"id": sample["id"], "question": sample["question"], **said, "video": sample["video"]})
    write_text(folder / "merge.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return [folder / "merge.jsonl"]


def _sample(row: Row) -> Sample:
    identity = row.text("id")
    said = row.value("pred")
    if not isinstance(said, str):
        raise row.fault("pred", "a text", said)
    video = row.text("video") if "video" in row.fields else identity
    return sample_of(identity, video, row.text("question"), said, answer=row.text("answer"))
