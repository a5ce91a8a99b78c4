"""A cell with every measure on: its ledger, peaks, seconds and pictures; and what is off is not there."""

import json

from .bench import read

PARTS = ("decode", "encode", "rearrange", "prefill", "pack", "watch", "first_token", "ask")


def test_a_full_cell_has_ledger_peaks_spread_and_pictures(bench, evaluate):
    code, _ = evaluate("sweep.name=measured_cell", "measure=full", "kv_quant=int8", "frames=16")
    assert code == 0
    (cell,) = bench.cells("measured_cell").values()
    metrics = read(cell, "metrics.json")
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
    assert {file.name for file in cell.glob("*.png")} == {"attention_kl.png", "attention_mass.png", "memory.png"}
    weighed = [line for line in map(json.loads, (cell / "videos.jsonl").open()) if "memory/peak_bytes" in line]
    assert len(weighed) == 1


def test_what_is_off_is_neither_measured_nor_drawn(bench, evaluate, monkeypatch):
    from intpv.measure.memory import Memory

    monkeypatch.setattr(Memory, "measure", lambda *_: 1 / 0)
    code, _ = evaluate("sweep.name=off", "measure=none")
    assert code == 0
    (cell,) = bench.cells("off").values()
    metrics = read(cell, "metrics.json")
    assert "memory/peak_bytes" not in metrics
    assert metrics["memory/weights_bytes"] > 0
    assert not list(cell.glob("*.png"))


def test_a_device_with_no_room_for_a_second_time_loses_the_peaks_alone(bench, evaluate, monkeypatch):
    from torch import OutOfMemoryError

    from intpv.measure.memory import Memory

    def full(*_):
        raise OutOfMemoryError("out of memory. Tried to allocate 1 GiB")

    monkeypatch.setattr(Memory, "measure", full)
    code, said = evaluate("sweep.name=no_room", "measure.memory.on_cpu=true")
    assert code == 0
    assert "peaks of memory not measured: out of memory" in " ".join(said.split())
    (cell,) = bench.cells("no_room").values()
    assert "memory/peak_bytes" not in read(cell, "metrics.json")
