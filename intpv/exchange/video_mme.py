"""Video-MME: the submission template, a list of videos with their questions and each question's `response`.

The official script scores only what was answered; here an empty response is a question that failed. Ids are the
template's own (001, 001-1) where data=videomme has read them, of the parquet file.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from intpv.data.annotation import Row
from intpv.record.atomic import write_text
from intpv.record.samples import Sample

from .imported import CellFacts, Imported, letter, list_rows, meant, sample_of, unique_ids

OF_THE_VIDEO = {"duration": "regime", "domain": "domain", "sub_category": "sub_category"}  # theirs -> our label
IDS = {"video_id": "video", "question_id": "id"}  # theirs -> ours


def read(file: Path) -> Imported:
    """All questions of all videos."""
    samples: list[Sample] = []
    asked: list[Row] = []
    for row in list_rows(file):
        questions = row.value("questions")
        if not isinstance(questions, list):
            raise row.fault("questions", "a list", questions)
        for number, fields in enumerate(questions, 1):
            if not isinstance(fields, dict):
                raise row.fault("questions", "a list of objects", fields)
            asked.append(Row(file, f"{row.place}, question {number}", fields))
            samples.append(_sample(row, asked[-1]))
    return Imported(unique_ids(file, asked, "question_id", samples), scored=False, task="videomme")


def write(samples: Sequence[Sample], facts: CellFacts, folder: Path) -> list[Path]:
    """`folder`/output_videomme.json, videos in order of their first question; labels that are missing are empty."""
    videos: dict[str, dict] = {}
    for sample in samples:
        said = sample["labels"]  # those of other tools' files are named as theirs
        labels = {name: said.get(label, said.get(name, "")) for name, label in OF_THE_VIDEO.items()}
        named = {name: said.get(name, dict(sample)[own]) for name, own in IDS.items()}
        video = videos.setdefault(named["video_id"], {"video_id": named["video_id"], **labels, "questions": []})
        own = {"question_id": named["question_id"], "task_type": sample["kind"], "question": sample["question"]}
        options = list(sample["options"])
        own |= {"options": options, "answer": letter(sample["answer"], options)}  # type: ignore[dict-item]
        video["questions"].append({**own, "response": sample["prediction"] or ""})
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "output_videomme.json"
    write_text(file, json.dumps(list(videos.values()), indent=2, ensure_ascii=False) + "\n")
    return [file]


def _sample(video: Row, row: Row) -> Sample:
    said = row.fields.get("response")
    if said is not None and not isinstance(said, str):
        raise row.fault("response", "a text", said)
    options = row.texts("options")
    return sample_of(
        row.text("question_id"),
        video.text("video_id"),
        row.text("question"),
        said or None,
        answer=meant(str(row.fields.get("answer", "")).strip(), options, by_index=False),
        options=options,
        kind=str(row.fields.get("task_type") or "question"),
        labels={label: video.fields[name] for name, label in OF_THE_VIDEO.items() if video.fields.get(name)},
        error="no response in the file",
    )
