"""Pairs: who is compared with whom, and that the differences are those of the accuracies."""

import pytest

from analysis.pairs import append_pairs, baseline, difference, full_precision, partners
from analysis.runs import read_sweep
from analysis.seeds import over_seeds


def test_the_baseline_is_the_shortest_plain_cell(sweep):
    assert baseline(read_sweep(sweep)).name == "strided-none-f8-none"


def test_the_twin_differs_in_the_quantisation_alone(sweep):
    cells = read_sweep(sweep)
    for cell in cells:
        twin = full_precision(cells, cell)
        assert (twin is None) == (cell.kv_quant == "none")
        assert twin is None or twin.name == cell.name.replace("int2", "none")


@pytest.mark.parametrize("regime", ["", "slow", "fast"])
def test_differences_are_those_of_the_accuracies(sweep, regime):
    cells = [cell for cell in read_sweep(sweep) if cell.status == "done"]
    metric = f"{regime}/accuracy".removeprefix("/")
    for cell in cells:
        found = difference(cell.samples(), cells[0].samples(), regime)
        assert found.mean == pytest.approx(cell.metrics[metric] - cells[0].metrics[metric])


def test_every_finished_cell_but_the_baseline_has_a_row(sweep):
    append_pairs(read_sweep(sweep), sweep / "table.md")
    rows = [line for line in (sweep / "table.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 8 - 2
    assert "slow − baseline (8 frames)" in rows[0]


def test_cells_of_other_questions_are_not_compared(tmp_path, write_cell, answers):
    write_cell(tmp_path, "none", 8, lines=answers(videos=4))
    write_cell(tmp_path, "none", 16, lines=answers(videos=6))
    append_pairs(read_sweep(tmp_path), tmp_path / "table.md")
    assert "other questions" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_a_training_is_held_against_itself_and_never_against_another(tmp_path, write_cell, answers):
    for kv, trainings in (("none", (0,)), ("int2", (0, 1))):
        for training in trainings:
            write_cell(tmp_path, kv=kv, lines=answers(videos=3), seeds=(0, 0, training))
    whole, *others = sorted(over_seeds(read_sweep(tmp_path)), key=lambda cell: cell.kv_quant, reverse=True)
    pairs = partners(others[0], whole)
    assert [(dict(one.seeds)["model.seed"], dict(other.seeds)["model.seed"]) for one, other in pairs] == [(0, 0)]


def test_nothing_is_written_without_a_reference(tmp_path, write_cell, answers):
    write_cell(tmp_path, "yarn", 16, lines=answers())
    append_pairs(read_sweep(tmp_path), tmp_path / "table.md")
    assert not (tmp_path / "table.md").exists()


def test_each_model_has_a_baseline_of_its_own(tmp_path, write_cell, answers):
    """That of the other model would be a difference of models, under the name of frames."""
    for model, right in (("mini", 0.9), ("other", 0.4)):
        for frames in (8, 16):
            cell = write_cell(tmp_path, "none", frames, lines=answers(right), overrides=[f"model={model}"])
            hydra = cell / ".hydra" / "hydra.yaml"
            hydra.write_text(hydra.read_text().replace("model: mini", f"model: {model}"))
    cells = read_sweep(tmp_path)
    assert {cell.model: baseline(cells, cell).model for cell in cells} == {"mini": "mini", "other": "other"}
    append_pairs(cells, tmp_path / "table.md")
    rows = [line for line in (tmp_path / "table.md").read_text(encoding="utf-8").splitlines() if "| 16 |" in line]
    assert len(rows) == 2
    assert all("+0.0" in row for row in rows)  # as many frames or not, the answers are the model's
