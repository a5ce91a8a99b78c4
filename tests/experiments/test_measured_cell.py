"""A cell with every measure on: its ledger, peaks, seconds and pictures; and what is off is not there."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from intpv.inference.measuring import Measuring
from intpv.metrics.judged import JUDGE_ROWS
from intpv.metrics.names import (
    CALIBRATED,
    METRICS,
    PAIRED,
    PLACEHOLDERS,
    TWO_VIDEOS,
    UNLIKE,
    UNTIL_RESCORED,
    VALID_WHEN,
    entries,
)
from intpv.options import option as made
from intpv.record.samples import Sample

from .cli import read

# two videos of a random model may well flip alike
UNLIKE_ANSWERS = {UNLIKE, f"{UNLIKE}; {UNTIL_RESCORED}"}
OF_PAIRS = {PAIRED, f"{PAIRED}, 2 kinds or more"}
PARTS = ("decode", "encode", "rearrange", "prefill", "pack", "watch", "first_token", "ask")


@pytest.fixture
def full(bench, evaluate) -> Path:
    """A cell with all measures, made once."""
    more = ("measure.reference=both", "measure.signatures=true", "measure.visual_rows=2")
    if not bench.cells("measured_cell"):
        assert evaluate("sweep.name=measured_cell", "measure=full", *more, "kv_quant=int8", "frames=16")[0] == 0
    (cell,) = bench.cells("measured_cell").values()
    return cell


@pytest.mark.slow
def test_a_full_cell_has_ledger_peaks_spread_and_pictures(full):
    metrics = read(full, "metrics.json")
    parts = ("codes", "scales", "zeros", "angles", "exempt", "padding")
    assert metrics["kv/bytes"] == sum(metrics[f"kv/{part}_bytes"] for part in parts)
    held = metrics["memory/weights_bytes"] + metrics["memory/tower_bytes"] + metrics["kv/bytes"]
    assert metrics["memory/held_bytes"] == held
    assert metrics["memory/peak_bytes"] == max(metrics[f"memory/{part}_peak_bytes"] for part in ("watch", "ask")) > held
    for part in PARTS:
        spread = [metrics[f"time/{part}_s/{name}"] for name in ("p05", "median", "p95")]
        assert 0 < spread[0] <= spread[1] <= spread[2]
        assert spread[0] <= metrics[f"time/{part}_s"] <= spread[2]
    assert metrics["time/rearrange_s"] < metrics["time/encode_s"] + metrics["time/prefill_s"]
    assert metrics["time/first_token_s"] < metrics["time/ask_s"]
    assert {file.name for file in full.glob("*.png")} == {"attention_kl.png", "attention_mass.png", "memory.png"}
    weighed = [line for line in map(json.loads, (full / "videos.jsonl").open()) if "memory/peak_bytes" in line]
    assert len(weighed) == 1


def test_a_full_cells_metrics_are_those_of_the_glossary(full):
    """Each has one entry; and each entry, with all words of its placeholders, is there unless its condition is not."""
    metrics = read(full, "metrics.json")
    assert {name: found for name in metrics if len(found := entries(name)) != 1} == {}
    every = [replace(metric, name=name) for metric in METRICS for name in _spelled_out(metric.name)]
    lacking = {metric.name: metric.present for metric in every if not any(map(metric.fits, metrics))}
    alone = {name for name in lacking if name.startswith("<regime>/") and TWO_VIDEOS in lacking[name]}  # one video each
    found = {lacking[name] for name in lacking.keys() - alone} - UNLIKE_ANSWERS
    assert found == {CALIBRATED, VALID_WHEN, *OF_PAIRS, *JUDGE_ROWS}, lacking
    samples = [json.loads(line) for line in (full / "samples.jsonl").open()]
    assert all(sample.keys() == Sample.__annotations__.keys() for sample in samples)


def _spelled_out(name: str) -> list[str]:
    """With and without each [...], and with each word for a <...> whose words are known."""
    if option := re.search(r"\[(.*?)\]", name):
        return [*_spelled_out(name.replace(option[0], "")), *_spelled_out(name.replace(option[0], option[1]))]
    for placeholder, known in PLACEHOLDERS.items():
        if known.values and (mark := f"<{placeholder}>") in name:
            return [spelled for word in known.values for spelled in _spelled_out(name.replace(mark, word))]
    return [name]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["none", "default"])
def test_what_is_off_is_neither_measured_nor_drawn(bench, evaluate, monkeypatch, option):
    """By default only a GPU's peaks are on."""
    from intpv.cost.memory import Memory

    monkeypatch.setattr(Memory, "measure", lambda *_: 1 / 0)
    code, _ = evaluate(f"sweep.name=off-{option}", f"measure={option}", "trainer.accelerator=cpu")
    assert code == 0
    (cell,) = bench.cells(f"off-{option}").values()
    metrics = read(cell, "metrics.json")
    assert "memory/peak_bytes" not in metrics
    assert metrics["memory/weights_bytes"] > 0
    assert [name for name in metrics if "measure" in entries(name)[0].present] == []
    assert not list(cell.glob("*.png"))


def test_a_device_with_no_room_for_a_second_time_loses_the_peaks_alone(bench, evaluate, monkeypatch):
    from torch import OutOfMemoryError

    from intpv.cost.memory import Memory

    def full(*_):
        raise OutOfMemoryError("out of memory. Tried to allocate 1 GiB")

    monkeypatch.setattr(Memory, "measure", full)
    code, said = evaluate("sweep.name=no_room", "measure.memory.on_cpu=true")
    assert code == 0
    assert "peaks of memory not measured: out of memory" in " ".join(said.split())
    (cell,) = bench.cells("no_room").values()
    assert "memory/peak_bytes" not in read(cell, "metrics.json")


def test_the_option_none_is_the_measuring_that_measures_nothing():
    nothing, usual = made("measure", "none", seed=0), made("measure", "default", seed=0)
    assert nothing == Measuring() != usual
    assert nothing.memory is None
    assert usual.memory.on_cpu is False
