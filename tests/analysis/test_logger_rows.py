"""What mirrors show of a sweep: the numbers of its folders, in rows and curves."""

import json
from itertools import product

from analysis.logger_rows import curves, rows
from analysis.runs import read_sweep


def test_every_cell_is_a_row_with_the_numbers_of_its_folder(sweep):
    found = {row["cell"]: row for row in rows(read_sweep(sweep))}
    assert found.keys() == {folder.name for folder in sweep.iterdir()}
    assert len({tuple(row) for row in found.values()}) == 1
    for name, row in found.items():
        file = sweep / name / "metrics.json"
        metrics = json.loads(file.read_text()) if file.exists() else {}
        assert (row["status"], row["reason"]) == (("done", "") if metrics else ("oom", "MemoryError: 40 GB asked"))
        assert {key: row[key] for key in metrics} == metrics
    json.dumps(list(found.values()), allow_nan=False)


def test_each_regime_has_a_line_per_strategy_in_full_precision(sweep):
    cells = read_sweep(sweep)
    found = {curve.key: curve for curve in curves(cells)}
    for regime in ("slow", "fast"):
        lines = found[f"accuracy_{regime}_by_strategy"].lines
        assert list(lines) == ["none", "yarn"]
        for cell in (cell for cell in cells if cell.kv_quant == "none"):
            assert lines[cell.strategy][cell.frames] == cell.metrics[f"{regime}/accuracy"]
        assert sum(map(len, lines.values())) == 4


def test_each_strategy_has_a_line_per_kv_level(sweep):
    found = {curve.key: curve for curve in curves(read_sweep(sweep))}
    assert set(found) == {
        f"accuracy_{regime}_by_{what}" for regime in ("slow", "fast") for what in ("strategy", "kv_none", "kv_yarn")
    }
    lines = found["accuracy_slow_by_kv_yarn"].lines
    assert {level: list(line) for level, line in lines.items()} == {
        "none": [8, 32],
        "int2": [8],
    }  # one ran out of memory
    assert list(lines) == ["none", "int2"]


def test_what_a_sweep_varies_is_told_apart_and_what_it_does_not_is_not_said(tmp_path, write_cell, answers):
    for order in ("strided", "contiguous"):
        for frames in (32, 8):
            write_cell(tmp_path, frames=frames, lines=answers(regimes=()), rearranger=order)
    (curve,) = curves(read_sweep(tmp_path))
    assert curve.key == "accuracy_all_by_strategy"
    assert {label: list(line) for label, line in curve.lines.items()} == {
        "yarn, contiguous": [8, 32],
        "yarn, strided": [8, 32],
    }


def test_a_sweep_that_failed_altogether_has_rows_and_no_curves(tmp_path, write_cell):
    write_cell(tmp_path, lines=RuntimeError("no"))
    cells = read_sweep(tmp_path)
    assert curves(cells) == []
    assert [row["status"] for row in rows(cells)] == ["failed"]


def test_attention_kl_has_a_curve_per_strategy_that_measured_it(tmp_path, write_cell, answers):
    for frames, kv in product((8, 32), ("none", "int4", "int2")):
        folder = write_cell(tmp_path, "yarn", frames, kv, answers(0.8))
        file = folder / "metrics.json"
        kl = 0.0 if kv == "none" else frames / (1 + int(kv[-1]))
        file.write_text(json.dumps(json.loads(file.read_text()) | {"attention_kl/end_to_end/all/mean": kl}))
    (curve,) = [one for one in curves(read_sweep(tmp_path)) if one.key.startswith("kl_")]
    assert curve.key == "kl_by_kv_yarn"
    assert curve.lines == {"int4": {8: 8 / 5, 32: 32 / 5}, "int2": {8: 8 / 3, 32: 32 / 3}}
