"""VLMEvalKit: what we write comes back, as .tsv and as .xlsx, and openpyxl sees texts, never formulas."""

import sys

import pytest

from intpv.errors import BadInput
from intpv.exchange.vlmevalkit import FAILED, read, write

HEADER = "index\tvideo\tquestion\tcandidates\tanswer\ttask_type\tprediction\tscore\n"


@pytest.mark.parametrize("ending", [".tsv", ".xlsx"])
def test_round_trip(lines, facts, tmp_path, kept, ending):
    if ending == ".xlsx":
        pytest.importorskip("openpyxl")
    (file,) = write(lines(), facts, tmp_path, ending)
    assert file.name == f"own-model-7b_my-task_32frame{ending}"
    found = read(file)
    assert kept(found.samples) == kept(lines())
    assert (found.model, found.task, found.frames) == ("own-model-7b", "my-task_32frame", 32)


def test_no_cell_of_a_workbook_is_calculated(lines, facts, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    (file,) = write(lines(), facts, tmp_path, ".xlsx")
    cells = [cell for row in openpyxl.load_workbook(file).active.iter_rows() for cell in row]
    assert "=1+1" in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells} <= {"s", "n"}


def test_controls_and_long_texts(lines, facts, tmp_path):
    pytest.importorskip("openpyxl")
    line = {**lines()[0], "prediction": "bell \x07, _x0007_ and \r"}
    (file,) = write([line], facts, tmp_path, ".xlsx")
    assert read(file).samples[0]["prediction"] == line["prediction"]
    with pytest.raises(BadInput, match=r"row 2: a cell of .xlsx takes 32767 characters, got 40000: use .tsv"):
        write([{**line, "prediction": "x" * 40_000}], facts, tmp_path, ".xlsx")


def test_without_openpyxl_the_command_is_said(lines, facts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(BadInput, match="pip install openpyxl"):
        write(lines(), facts, tmp_path, ".xlsx")


def test_a_file_as_the_harness_leaves_it(tmp_path):
    file = tmp_path / "Qwen2-VL-7B_Video-MME_64frame_score.tsv"
    rows = [
        ["0", "abc", "Which?", "['A. red', 'B. blue']", "B", "OCR", "B. blue", "1"],
        ["1", "abc", "Which?", "['A. red', 'B. blue']", "A", "OCR", f"{FAILED}", "-1"],
        ["2", "abd", "Which?", "['A. red', 'B. blue']", "A", "OCR", "neither", "-1"],
    ]
    file.write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows))
    found = read(file)
    assert (found.model, found.task, found.frames, found.scored) == ("Qwen2-VL-7B", "Video-MME_64frame", 64, True)
    first, second, third = found.samples
    assert (first["answer"], first["correct"], first["kind"]) == ("B. blue", True, "OCR")
    assert (second["prediction"], second["error"], second["correct"]) == (None, FAILED, False)
    assert (third["prediction"], third["valid"], third["correct"]) == ("neither", False, False)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.csv", "", "must end in .tsv or .xlsx"),
        ("a.tsv", "index\tquestion\n0\t?\n", "line 1: must have the columns prediction, separated by tabs"),
        ("a.tsv", "index\tquestion\tprediction\tcandidates\n0\t?\tA\t[red]\n", "candidates must be a list of texts"),
        (
            "a.tsv",
            "index\tquestion\tprediction\n0\t?\tA\n0\t?\tA\n",
            "line 3: index must be another than in line 2, got 0",
        ),
    ],
)
def test_bad_files(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput) as refused:
        read(tmp_path / name)
    assert line in str(refused.value)


def test_what_is_no_workbook(tmp_path):
    pytest.importorskip("openpyxl")
    (tmp_path / "a.xlsx").write_text("index,question")
    with pytest.raises(BadInput, match=r"a.xlsx is no .xlsx"):
        read(tmp_path / "a.xlsx")


def test_ids_that_repeat_give_way_to_the_index(tmp_path):
    (tmp_path / "a.tsv").write_text("index\tid\tquestion\tprediction\n0\tv\t?\tA\n1\tv\t?\tB\n")
    assert [sample["id"] for sample in read(tmp_path / "a.tsv").samples] == ["0", "1"]


def test_a_prediction_may_be_long(lines, facts, tmp_path):
    line = {**lines()[0], "prediction": "x" * 200_000}
    assert read(write([line], facts, tmp_path)[0]).samples[0]["prediction"] == line["prediction"]


def test_a_column_without_a_name_moves_no_other(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["index", None, "question", "prediction"], [0, "lost", "?", "A"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    (sample,) = read(tmp_path / "a.xlsx").samples
    assert (sample["id"], sample["question"], sample["prediction"]) == ("0", "?", "A")
