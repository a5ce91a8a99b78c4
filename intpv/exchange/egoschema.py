"""EgoSchema: the submission {q_uid: index of the option}, as its server takes it, and Kaggle's CSV of q_uid, answer.

Both want a number for every question. A prediction that names no option gets -1, which is never right; the
harnesses that draw a number there gain a fifth of what they failed on.
"""

from collections.abc import Sequence
from pathlib import Path

from intpv.data.annotation import Row, csv_rows, unique
from intpv.errors import BadInput
from intpv.record.atomic import write_json, write_text
from intpv.record.samples import Sample
from intpv.scorer.letters import named_option

from .imported import KEY, CellFacts, Imported, read_json_file, sample_of

OPTIONS = tuple("01234")
ANSWERS = "subset_answers.json"  # the 500 that are public
NONE = -1


def read(file: Path) -> Imported:
    """Options are their indices; where subset_answers.json lies beside the file, its questions alone, with answers.

    One of these that the file lacks has failed.
    """
    chosen = {uid: _index(file, uid, value, least=NONE) for uid, value in _table(file).items()}
    beside = file.with_name(ANSWERS)
    answers = (
        {uid: _index(beside, uid, value, least=0) for uid, value in _table(beside).items()} if beside.exists() else {}
    )
    if answers and not answers.keys() & chosen.keys():
        raise BadInput(f"{file} holds none of the questions of {beside}")
    samples = [
        sample_of(
            uid,
            uid,
            f"question {uid}",
            _said(chosen.get(uid)),
            answer=str(answers.get(uid, "")),
            options=OPTIONS,
            correct=bool(answers) and chosen.get(uid) == answers[uid],
            valid=chosen.get(uid) != NONE,
        )
        for uid in answers or chosen
    ]
    return Imported(samples, scored=bool(answers), task="egoschema")


def write(samples: Sequence[Sample], facts: CellFacts, folder: Path) -> list[Path]:
    """`folder`/egoschema.json, for the server, and egoschema.csv, for Kaggle's egoschema-public."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {sample["id"]: _place(sample) for sample in samples}
    files = [folder / "egoschema.json", folder / "egoschema.csv"]
    write_json(files[0], chosen)
    write_text(files[1], "q_uid,answer\n" + "".join(f"{uid},{place}\n" for uid, place in chosen.items()))
    return files


def _said(place: int | None) -> str | None:
    return None if place is None else "" if place == NONE else str(place)


def _place(sample: Sample) -> int:
    options = list(sample["options"])
    if len(options) != len(OPTIONS):
        raise BadInput(f"question {sample['id']} must have {len(OPTIONS)} options, got {len(options)}")
    named = named_option(sample["prediction"] or "", options)
    return NONE if named is None else options.index(named)


def _table(file: Path) -> dict:
    if file.suffix == ".csv":
        rows = unique(csv_rows(file, ("q_uid", "answer"), key=KEY), "q_uid")
        return {uid: row.text("answer") for uid, row in rows.items()}
    found = read_json_file(file)
    if not isinstance(found, dict) or not found:
        raise BadInput(f"{file}: must hold an object of q_uid and index, got a {type(found).__name__}")
    return found


def _index(file: Path, uid: str, value: object, least: int) -> int:
    return Row(file, uid, {"index": value}).whole("index", least, len(OPTIONS) - 1)
