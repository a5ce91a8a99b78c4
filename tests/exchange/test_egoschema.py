"""EgoSchema: an index per question, -1 for what names none, and never a guess."""

import csv
import json

import pytest

from intpv.errors import BadInput
from intpv.exchange.egoschema import ANSWERS, read, write


def test_what_names_no_option_is_minus_one(lines, facts, tmp_path):
    file, _ = write(lines(), facts, tmp_path)
    chosen = json.loads(file.read_text())
    assert chosen.keys() == {line["id"] for line in lines()}
    assert {id: place for id, place in chosen.items() if place >= 0} == {"q03": 1}


def test_read_with_the_public_answers(tmp_path):
    (tmp_path / "mine.json").write_text('{"a": 1, "b": -1, "c": 2, "d": 4}')
    assert [sample["prediction"] for sample in read(tmp_path / "mine.json").samples] == ["1", "", "2", "4"]
    assert not read(tmp_path / "mine.json").scored
    (tmp_path / ANSWERS).write_text('{"x": 1}')
    with pytest.raises(BadInput, match="holds none of the questions of"):
        read(tmp_path / "mine.json")
    (tmp_path / ANSWERS).write_text('{"a": 1, "b": 0, "c": 3, "x": 1}')
    found = read(tmp_path / "mine.json")
    assert found.scored
    assert [(sample["id"], sample["correct"], sample["valid"]) for sample in found.samples] == [
        ("a", True, True),
        ("b", False, False),
        ("c", False, True),
        ("x", False, False),
    ]
    assert found.samples[-1]["error"] == "no prediction in the file"


@pytest.mark.parametrize("form", [0, 1])
def test_round_trip(lines, facts, tmp_path, form):
    file = write(lines(), facts, tmp_path)[form]
    again = write(read(file).samples, facts, tmp_path / "again")[form]
    assert again.read_text() == file.read_text()


def test_kaggles_csv_says_what_the_json_says(lines, facts, tmp_path):
    of_server, of_kaggle = write(lines(), facts, tmp_path)
    with of_kaggle.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["q_uid"]: int(row["answer"]) for row in rows} == json.loads(of_server.read_text())
    (tmp_path / "twice.csv").write_text("q_uid,answer\na,1\na,2\n")
    with pytest.raises(BadInput, match=r"twice.csv, line 3: q_uid must be another than in line 2, got a"):
        read(tmp_path / "twice.csv")


@pytest.mark.parametrize(
    ("text", "line"), [("[]", "must hold an object"), ('{"a": 5}', "a: index must be a whole number")]
)
def test_bad_files(tmp_path, text, line):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadInput) as refused:
        read(tmp_path / "a.json")
    assert line in str(refused.value)
