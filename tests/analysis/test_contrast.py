"""Contrasts of one setting: what was put in is found, nothing is found where nothing was, what is missing is named."""

import csv
from dataclasses import replace
from itertools import product

import pytest

from analysis import contrast
from analysis.contrast import contrasts
from analysis.runs import read_sweep
from intpv.errors import BadInput


def _chance(kv_quant, frames):
    """2 bits cost 30 points at 32 frames and nothing at 8; 4 bits never cost anything."""
    return 0.9 - 0.3 * (kv_quant == "int2" and frames == 32)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers):
    folder = tmp_path_factory.mktemp("sweeps") / "widths"
    for kv, frames, training in product(("none", "int4", "int2"), (8, 32), (0, 1)):
        lines = answers(_chance(kv, frames), videos=60, seed=training)  # one draw for all
        write_cell(folder, "yarn", frames, kv=kv, lines=lines, seeds=(0, 0, training))
    return folder


@pytest.mark.slow
def test_what_was_put_in_is_found_and_nothing_else(sweep):
    found, _ = contrasts(read_sweep(sweep), "kv_quant=none")
    assert len(found) == 2 * 2 * 2  # other values, frames, regimes
    for one in found:
        lost = one.value == "int2" and dict(one.place)["frames"] == "32"
        assert one.is_told_apart == lost
        assert one.effect.value == pytest.approx(one.accuracy - one.reference_accuracy)
        assert one.nbytes < one.reference_bytes
        assert len(one.effect.trainings) == 2
        if lost:
            assert one.effect.low - 0.05 < -0.27 < one.effect.high + 0.05
        else:
            assert one.effect.value == 0


def test_a_difference_in_one_training_alone_is_not_told(tmp_path, write_cell, answers):
    for kv, training in product(("none", "int2"), (0, 1)):
        lines = answers(0.9 - 0.4 * (kv == "int2" and training == 0), videos=60, seed=training)
        write_cell(tmp_path, "yarn", 8, kv=kv, lines=lines, seeds=(0, 0, training))
    for one in contrasts(read_sweep(tmp_path), "kv_quant=none")[0]:
        assert one.p < 0.05
        assert not one.is_told_apart


def test_one_option_with_several_settings_of_its_own_is_several(sweep):
    """kv_quant=int2 with one sink and with four are two cells, neither of them full precision's other."""
    cells = [cell for cell in read_sweep(sweep) if cell.kv_quant != "int4"]
    several = [replace(cell, kv_quant="int2 sinks=1") if cell.kv_quant == "int2" else cell for cell in cells]
    with pytest.raises(BadInput, match="no two finished cells differ in kv_quant alone"):
        contrasts(several, "kv_quant=none")


def test_the_page_and_the_table_hold_the_same_figures(sweep, run_verb):
    code, said, _ = run_verb(contrast.main, sweep, "kv_quant=none")
    assert code == 0
    page, table = (sweep / name for name in ("contrast.md", "contrast.csv"))
    assert said.split() == [str(page), str(table)]
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    lines = [line for line in lines if not line.startswith(("| ---", "| frames"))]
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert f"{100 * float(row['value']):+.1f}".replace("-0.0", "+0.0") in line
        assert f"| {row['kv_quant']} |" in line


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("kv_quant=int8", "kv_quant must be one of int2, int4, none, got int8"),
        ("rope_strategy=yarn", "no two finished cells differ in rope_strategy alone, one of them with yarn"),
        ("kv_quant", "a setting is KEY=VALUE, got kv_quant"),
        ("kv_quant.bats=2", "has no setting kv_quant.bats"),
    ],
)
def test_what_was_not_swept_is_one_line(sweep, run_verb, setting, line):
    code, _, error = run_verb(contrast.main, sweep, setting)
    assert code == 2
    assert line in error
    assert len(error.splitlines()) == 1


def test_a_value_is_held_against_each_reference_where_it_stands_beside_it(tmp_path, write_cell, answers):
    for kv, frames in (("none", 8), ("int4", 8), ("int2", 8), ("int2", 16)):
        write_cell(tmp_path, "yarn", frames, kv=kv, lines=answers(0.9, videos=4, seed=0))
    found, _ = contrasts(read_sweep(tmp_path), "kv_quant=none,int4")
    assert {(one.value, one.reference, dict(one.place)["frames"]) for one in found} == {
        ("int2", "none", "8"),
        ("int2", "int4", "8"),
    }
    with pytest.raises(
        BadInput, match="no two finished cells differ in kv_quant alone, one of them with none, int4, int2"
    ):
        contrasts(read_sweep(tmp_path), "kv_quant=none,int4,int2")


def test_every_cell_is_held_against_the_best_of_its_regime(sweep):
    _, found = contrasts(read_sweep(sweep), "kv_quant=none")
    for regime in ("slow", "fast"):
        mine = [one for one in found if one.regime == regime]
        assert len(mine) == 3 * 2 - 1  # KV levels, frames, but the best itself
        assert len({one.reference for one in mine}) == 1
        assert all(one.reference_accuracy >= one.accuracy for one in mine)
        assert all(one.effect.value <= 0 for one in mine)
