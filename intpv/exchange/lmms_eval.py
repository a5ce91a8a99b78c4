"""lmms-eval: <date>_samples_<task>.jsonl, a line per question, and <date>_results.json, its metrics.

Its lines hold no document: options are read out of the prompt, everything else out of the dict of a metric. Where that
names no video, each question counts as one, and intervals over videos are as over questions.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from intpv.data.annotation import Row, jsonl_rows
from intpv.errors import BadInput
from intpv.metrics.accuracy import accuracy
from intpv.record.atomic import write_json, write_text
from intpv.record.samples import Sample, to_line

from .imported import (
    KEY,
    CellFacts,
    Imported,
    count_by_index,
    letter,
    lettered_options,
    meant,
    named_apart,
    read_json_file,
    sample_of,
    unique_ids,
)

NAME = re.compile(r"(?P<date>.+)_samples_(?P<task>.+)\.jsonl")
OWN = ("doc_id", "target", "input", "filtered_resps", "resps", "token_counts", "doc_hash", "input_media")
METRIC = "intpv_score"  # the key of our own dict, with all that a sample holds
IDS = ("question_id", "id", "qid", "q_uid")
VIDEOS = ("videoID", "video_id", "video", "video_name", "video_idx")
KINDS = ("task_category", "task_type", "question_category", "question_type", "type", "dim", "category")
FRAMES = re.compile(r"(?:max_frames_num|max_num_frames|num_frames|nframes|fps_max_frames)=(\d+)")


def read(file: Path) -> Imported:
    """A samples file; what the results file beside it says of model, frames and metrics is taken too."""
    rows = list(jsonl_rows(file, KEY))
    for row in rows:
        for name in ("doc_id", "target", "input"):
            row.value(name)
    by_index = count_by_index((str(row.value("target")).strip(), lettered_options(_text(row))) for row in rows)
    ids = named_apart([_id(row) for row in rows], [str(row.value("doc_id")) for row in rows])
    found = [_sample(row, identity, by_index) for row, identity in zip(rows, ids, strict=True)]
    scored = all(is_scored for _, is_scored in found)
    named = NAME.fullmatch(file.name)
    results = _results_beside(file, named["date"]) if named else {}
    task = named["task"] if named else file.stem
    model, frames = _model(results)
    samples = unique_ids(file, rows, "doc_id", [sample for sample, _ in found])
    stated = read_results(results).get(task)
    return Imported(samples, scored, model, task, frames, stated)


def read_results(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Task -> metric -> value, of a results file's content; names without lmms-eval's filter ("accuracy,none").

    >>> read_results({"results": {"mvbench": {"alias": "mvbench", "accuracy,none": 0.5, "stderr,none": "N/A"}}})
    {'mvbench': {'accuracy': 0.5}}
    """
    tasks = results.get("results")
    if not isinstance(tasks, Mapping):
        return {}
    return {
        task: {
            name.partition(",")[0]: float(value)
            for name, value in metrics.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        for task, metrics in tasks.items()
        if isinstance(metrics, Mapping)
    }


def write(samples: Sequence[Sample], facts: CellFacts, folder: Path) -> list[Path]:
    """`folder`/<model>/<date>_samples_<task>.jsonl and <date>_results.json."""
    date = facts.time.strftime("%Y%m%d_%H%M%S")
    place = folder / re.sub(r"[^\w.-]+", "__", facts.model)
    place.mkdir(parents=True, exist_ok=True)
    lines = [_line(number, sample) for number, sample in enumerate(samples)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    files = [place / f"{date}_samples_{facts.task}.jsonl", place / f"{date}_results.json"]
    write_text(files[0], text)
    write_json(files[1], _results(samples, facts, [line["doc_hash"] for line in lines]))
    return files


def _line(number: int, sample: Sample) -> dict[str, Any]:
    said, options = sample["prediction"] or "", list(sample["options"])
    score = {"question_id": sample["id"], "videoID": sample["video"], "task_category": sample["kind"]}
    score |= {"pred_answer": said, "answer": letter(sample["answer"], options)}
    score |= {"score": float(sample["correct"]), "sample": dict(sample)}  # type: ignore[dict-item]
    asked = {"question": sample["question"], "options": options, "answer": sample["answer"]}
    return {
        "doc_id": number,
        "target": letter(sample["answer"], options),
        "filtered_resps": [said],
        "doc_hash": hashlib.sha256(json.dumps(asked, indent=2).encode()).hexdigest(),
        "score": float(sample["correct"]),  # what its --baseline reads, before it compares texts of its own accord
        METRIC: score,
        "input": sample["question"],
    }


def _results(samples: Sequence[Sample], facts: CellFacts, hashes: Sequence[str]) -> dict[str, Any]:
    metrics = accuracy(samples)
    joined = "".join(f"sample_{number}{one}" for number, one in enumerate(hashes))
    named = {f"{name},none": value for name, value in metrics.items() if "/" not in name}
    return {
        "results": {facts.task: {"alias": facts.task, **named, "accuracy_stderr,none": "N/A"}},
        "group_subtasks": {facts.task: []},
        "configs": {facts.task: {"task": facts.task}},
        "versions": {facts.task: 0},
        "n-shot": {facts.task: 0},
        "higher_is_better": {facts.task: {"accuracy": True}},
        "n-samples": {facts.task: {"original": len(samples), "effective": len(samples)}},
        "config": {"model": "intpv", "model_args": f"pretrained={facts.model},num_frames={facts.frames}"},
        "task_hashes": {facts.task: hashlib.sha256(joined.encode()).hexdigest()},
        "model_source": "intpv",
        "model_name": facts.model,
        "date": facts.time.isoformat(),
    }


def _results_beside(file: Path, date: str) -> Mapping[str, Any]:
    beside = file.with_name(f"{date}_results.json")
    results = read_json_file(beside) if beside.exists() else {}
    if not isinstance(results, dict):
        raise BadInput(f"{beside}: must hold an object, got a {type(results).__name__}")
    return results


def _model(results: Mapping[str, Any]) -> tuple[str, int]:
    config = results.get("config")
    arguments = config.get("model_args") if isinstance(config, Mapping) else ""
    if isinstance(arguments, Mapping):
        arguments = ",".join(f"{name}={value}" for name, value in arguments.items())
    frames = FRAMES.search(str(arguments))
    return str(results.get("model_name") or "unknown"), int(frames[1]) if frames else 0


def _text(row: Row) -> str:
    value = row.value("input")
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str):
        raise row.fault("input", "a prompt", value)
    return first


def _metrics(row: Row) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """All of a line, and of their dicts the first that says what is right, else the first."""
    metrics = {name: value for name, value in row.fields.items() if name not in OWN}
    tables = [value for value in metrics.values() if isinstance(value, dict)]
    return metrics, next((table for table in tables if _verdict(table) is not None), tables[0] if tables else {})


def _id(row: Row) -> str:
    return _named(_metrics(row)[1], IDS)


def _sample(row: Row, identity: str, by_index: bool) -> tuple[Sample, bool]:
    """And whether the line says that it is right or wrong."""
    metrics, details = _metrics(row)
    if METRIC in metrics:
        return _own_sample(row), True
    options, correct = lettered_options(_text(row)), _correct(metrics, details)
    said = [_first_text(row.fields.get(name)) for name in ("filtered_resps", "resps")]
    prediction = said[1] if said[0] is None else said[0]
    labels = {name: value for name, value in details.items() if isinstance(value, str | int | float)}
    sample = sample_of(
        identity,
        _named(details, VIDEOS) or identity,
        _text(row),
        prediction,
        answer=meant(str(row.value("target")).strip(), options, by_index),
        options=options,
        kind=_named(details, KINDS) or "question",
        labels={name: value for name, value in labels.items() if name not in ("score", "pred_answer", "answer")},
        correct=bool(correct),
        valid=details.get("pred_answer", prediction) not in ("", None),
    )
    return sample, correct is not None


def _own_sample(row: Row) -> Sample:
    """As it was written."""
    own = row.fields[METRIC]
    sample = own.get("sample") if isinstance(own, dict) else None
    try:
        to_line(sample or {})
    except (ValueError, AttributeError) as error:
        raise row.fault(METRIC, "as experiments.export writes it", str(error)) from None
    return cast(Sample, sample)


def _verdict(details: Mapping[str, Any]) -> bool | None:
    """Of a metric's dict. A judge's word goes before its score, which is one of 0 to 5."""
    if isinstance(word := details.get("Correctness"), str):
        return word.strip().lower() == "yes"
    for name in ("score", "rating"):
        if isinstance(score := details.get(name), int | float) and score in (0, 1):
            return bool(score)
    for said, right in (("pred_answer", "answer"), ("pred", "ground_truth"), ("parsed_pred", "answer")):
        if said in details and right in details:
            return str(details[said]).strip().lower() == str(details[right]).strip().lower()
    return None


def _correct(metrics: Mapping[str, Any], details: Mapping[str, Any]) -> bool | None:
    """Out of a metric's dict, else of a metric that is 0 or 1; None where nothing says so."""
    if (verdict := _verdict(details)) is not None:
        return verdict
    plain = [value for value in metrics.values() if isinstance(value, bool | int | float) and value in (0, 1)]
    return bool(plain[0]) if plain else None


def _named(details: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(details[name]) for name in names if details.get(name) not in (None, "")), "")


def _first_text(value: object) -> str | None:
    while isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else None
