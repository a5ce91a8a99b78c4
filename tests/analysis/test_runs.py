"""Runs: what is read of a sweep, and in which order."""

import json

import pytest
import yaml

from analysis.runs import kv_rank, read_sweep
from intpv.errors import BadInput


def test_reads_choices_metrics_and_status(sweep):
    cells = read_sweep(sweep)
    assert len(cells) == 8
    for cell in cells:
        assert cell.name == "-".join([cell.rearranger, cell.rope_strategy, f"f{cell.frames}", cell.kv_quant])
        assert (cell.encoder, cell.model, cell.data, cell.variant) == ("languagebind", "mini", "flipbook", "")
        if cell.status == "done":
            assert cell.metrics == json.loads((cell.folder / "metrics.json").read_text())
            assert len(cell.samples()) == cell.metrics["questions"]


def test_a_failed_cell_says_why_in_one_line(sweep):
    (failed,) = [cell for cell in read_sweep(sweep) if cell.status != "done"]
    assert (failed.status, failed.reason, failed.metrics) == ("oom", "MemoryError: 40 GB asked", {})


def test_order_is_strategy_frames_falling_bits(sweep):
    found = [(cell.rope_strategy, cell.frames, cell.kv_quant) for cell in read_sweep(sweep)]
    assert found == [(r, f, k) for r in ("none", "yarn") for f in (8, 32) for k in ("none", "int2")]
    assert sorted(["int2", "int8", "none", "int4"], key=kv_rank) == ["none", "int8", "int4", "int2"]


def test_names_carry_the_overrides_in_which_cells_differ(tmp_path, write_cell, answers):
    common = "data.limit=20"
    write_cell(tmp_path, lines=answers(), overrides=(common,))
    write_cell(tmp_path, lines=answers(), overrides=(common, "rope_strategy.window=llm"))
    write_cell(tmp_path, lines=answers(), overrides=(common, "+video.order=shuffled", "trainer.devices=2"))
    found = {(cell.rope_strategy, cell.variant, cell.strategy) for cell in read_sweep(tmp_path)}
    assert found == {
        ("yarn", "", "yarn"),
        ("yarn window=llm", "", "yarn window=llm"),
        ("yarn", "video.order=shuffled", "yarn video.order=shuffled"),
    }


@pytest.mark.parametrize(
    "override",
    [
        "measure=full",
        "measure.sinks=8",
        "logger=none",
        "sweep.retry=all",
        "cache.dir=x",
        "trainer.threads=1",
        "trainer.accelerator=cpu",
        "video.timeout_s=9",
        "data.root=x",
        "experiment=other",
    ],
)
def test_what_no_answer_depends_on_makes_no_strategy(tmp_path, write_cell, override):
    write_cell(tmp_path)
    write_cell(tmp_path, frames=16, overrides=(override,))
    assert {cell.strategy for cell in read_sweep(tmp_path)} == {"yarn"}


def test_models_and_encoders_of_one_sweep_are_told_apart(tmp_path, write_cell):
    for number, model in enumerate(("mini", "random")):
        file = write_cell(tmp_path, frames=8 * (number + 1)) / ".hydra" / "hydra.yaml"
        hydra = yaml.safe_load(file.read_text())
        hydra["hydra"]["runtime"]["choices"]["model"] = model
        file.write_text(yaml.safe_dump(hydra))
    assert {cell.strategy for cell in read_sweep(tmp_path)} == {"yarn model=mini", "yarn model=random"}


def test_a_cell_that_has_only_begun_is_read(tmp_path, write_cell):
    (write_cell(tmp_path) / "log.txt").touch()
    (cell,) = read_sweep(tmp_path)
    assert (cell.status, cell.metrics, cell.samples()) == ("not started", {}, [])


def test_a_folder_without_cells_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no cells in"):
        read_sweep(tmp_path / "typo")
