"""Compare: what is matched, what is refused with both values, and that words follow from intervals."""

import json
from datetime import UTC, datetime

import pytest

from analysis.compare import compare_sides, main, read_side
from intpv.errors import BadInput
from intpv.exchange import lmms_eval
from intpv.exchange.imported import CellFacts


@pytest.fixture
def rows():
    """Name -> cells of the table's row by the header's names."""

    def of(text):
        lines = [[one.strip() for one in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
        return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}

    return of


def sides(*folders):
    return [read_side(str(folder)) for folder in folders]


def test_a_cell_with_itself_is_equivalent_and_with_a_much_worse_one_higher(tmp_path, write_cell, answers, rows):
    good = write_cell(tmp_path, "yarn", 8, lines=answers(0.9, videos=200))
    bad = write_cell(tmp_path, "none", 8, lines=answers(0.4, videos=200, seed=1))
    same = rows(compare_sides(*sides(good, good)))
    assert same.keys() == {"all", "slow", "fast", "presence", "order"}
    assert same["all"]["A is"] == "equivalent within 2 points"
    assert (same["all"]["A − B"], same["all"]["p of all"]) == ("+0.0 [–]", "1.000")
    forth, back = rows(compare_sides(*sides(good, bad)))["all"], rows(compare_sides(*sides(bad, good)))["all"]
    assert (forth["A is"], back["A is"]) == ("higher", "lower")
    assert (forth["A alone"], forth["B alone"]) == (back["B alone"], back["A alone"])
    assert float(forth["A %"]) - float(forth["B %"]) == pytest.approx(float(forth["A − B"].split()[0]), abs=0.11)


def test_alike_cells_of_few_videos_are_called_neither_a_gain_nor_equivalent(tmp_path, write_cell, answers, rows):
    one, other = (write_cell(tmp_path, rope, lines=answers(0.7, seed=len(rope))) for rope in ("yarn", "visual_only"))
    said = {row["A is"] for row in rows(compare_sides(*sides(one, other))).values()}
    assert said == {"not told apart"}


def test_sweeps_are_matched_cell_by_cell_and_unfinished_ones_are_said(sweep, rows):
    text = compare_sides(*sides(sweep, sweep))
    assert "7 cell(s), 1 unfinished ones left out" in text
    assert len(rows(text)) == 7
    assert {row["A − B"] for row in rows(text).values()} == {"+0.0 [–]"}


def test_another_harness_s_file_is_a_side(tmp_path, write_cell, answers, rows):
    """Written as lmms-eval would, of a cell's own answers: no question differs."""
    cell = write_cell(tmp_path, lines=answers(videos=6))
    lines = read_side(str(cell)).cells[0].samples()
    files = lmms_eval.write(lines, CellFacts("mini", "flipbook", 8, datetime.now(UTC)), tmp_path / "out")
    (file,) = (file for file in files if file.suffix == ".jsonl")
    found = rows(compare_sides(*sides(cell, f"lmms_eval:{file}")))
    assert (found["all"]["A alone"], found["all"]["B alone"]) == ("0", "0")


@pytest.mark.parametrize("concern", ["model", "version", "data"])
def test_what_differs_is_refused_with_both_values(tmp_path, write_cell, answers, concern):
    one = write_cell(tmp_path, "yarn", lines=answers(videos=4))
    other = write_cell(tmp_path, "none", lines=answers(videos=5 if concern == "data" else 4))
    if concern == "model":
        file = other / ".hydra" / "config.yaml"
        file.write_text(file.read_text().replace("_target_: model", "_target_: model\n  path: weights/other"))
        file = one / ".hydra" / "config.yaml"
        file.write_text(file.read_text().replace("_target_: model", "_target_: model\n  path: weights/one"))
    elif concern == "version":
        for cell, commit in ((one, "1" * 40), (other, "2" * 40)):
            (cell / "environment.json").write_text(json.dumps({"commit": commit}))
    both = {
        "model": ("model.path is weights/one", "weights/other"),
        "version": ("1" * 40, "2" * 40),
        "data": ("flipbook (16 questions", "flipbook (20 questions"),
    }[concern]
    with pytest.raises(BadInput) as refused:
        compare_sides(*sides(one, other))
    assert all(value in str(refused.value) for value in (*both, str(one), str(other)))
    if concern != "data":  # other questions cannot be paired, whoever asks
        assert "| all |" in compare_sides(*sides(one, other), across=[concern])


def test_a_base_and_its_adapter_are_two_models(tmp_path, write_cell, answers):
    one, other = (write_cell(tmp_path, rope, lines=answers(videos=4)) for rope in ("yarn", "none"))
    for cell, lora in ((one, "null"), (other, "adapter")):
        file = cell / ".hydra" / "config.yaml"
        file.write_text(file.read_text().replace("_target_: model", f"_target_: model\n  lora: {lora}"))
    with pytest.raises(BadInput, match=r"model\.lora is null in .* and adapter in"):
        compare_sides(*sides(one, other))


def test_nothing_finished_and_nothing_in_common_are_one_line(tmp_path, write_cell, answers, monkeypatch, capsys):
    done = write_cell(tmp_path / "a", lines=answers(videos=3))
    write_cell(tmp_path / "b", lines=ValueError("no"))
    monkeypatch.setattr("sys.argv", ["compare", str(done), str(tmp_path / "b")])
    assert main() == 2
    assert capsys.readouterr().err == f"{tmp_path / 'b'} has no finished cell, got failed\n"
    other = write_cell(tmp_path / "c", lines=answers(videos=3), seeds=(0, 5))
    with pytest.raises(BadInput, match=r"other questions: data\.seed 0 and 5"):
        compare_sides(*sides(done, other))
