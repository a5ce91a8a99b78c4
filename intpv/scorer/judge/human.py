"""Human labels: what people said of predictions, in a small file that tells how far a judge can be believed.

Columns id, prediction and correct (yes or no, true or false, 1 or 0): a label belongs to a prediction, not to a
question alone, so one file serves every cell that gave that prediction. Draw the lines at random: what is learned of
the judge holds for what was drawn.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from intpv.bounds import shown
from intpv.errors import BadInput
from intpv.record.damaged import read_bytes
from intpv.record.samples import Sample

COLUMNS = ("id", "prediction", "correct")
WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class HumanLabels:
    """(question's id, prediction) -> whether a person calls it right."""

    labels: Mapping[tuple[str, str], bool]

    def of(self, sample: Sample) -> bool | None:
        """None where nobody has said."""
        return self.labels.get((sample["id"], _plain(sample["prediction"] or "")))

    @classmethod
    def read(cls, file: Path) -> "HumanLabels":
        """BadInput names file, line and column; two labels of one prediction that differ are refused."""
        labels: dict[tuple[str, str], bool] = {}
        for line, fields in _rows(file):
            for column in COLUMNS:
                if fields.get(column) is None:
                    raise BadInput(f"{file}, line {line}: {column} is missing, got {', '.join(map(str, fields))}")
            word = str(fields["correct"]).strip().lower()
            if word not in WORDS:
                raise BadInput(f"{file}, line {line}: correct must be yes or no, got {shown(fields['correct'])}")
            key = str(fields["id"]).strip(), _plain(str(fields["prediction"]))
            if labels.setdefault(key, WORDS[word]) != WORDS[word]:
                raise BadInput(f"{file}, line {line}: correct must be as before for {key[0]}, got {word}")
        return cls(labels)


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    content = read_bytes(file)
    if content is None:
        raise BadInput(f"scorer.labels: {file} is not there")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"scorer.labels: {file} is not UTF-8") from None
    if file.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        yield from ((reader.line_num, fields) for fields in reader)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                fields = json.loads(line)
            except ValueError:
                fields = None
            if not isinstance(fields, dict):
                raise BadInput(f"{file}, line {number}: must be a JSON object, got {shown(line.strip()[:60])}")
            yield number, fields


def _plain(prediction: str) -> str:
    return " ".join(prediction.split())
