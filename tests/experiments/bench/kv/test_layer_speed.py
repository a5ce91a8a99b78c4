"""One layer is timed by every method in turn."""

import pytest
import torch

from experiments.bench.kv.allowance import Allowances
from experiments.bench.kv.clock import interleaved
from experiments.bench.kv.layer_speed import Shape, layer_speed
from experiments.bench.kv.methods import FULL, ours
from intpv.errors import BadInput

CPU = torch.device("cpu")


def test_a_step_is_timed_in_every_round_unless_its_guard_stops_it():
    calls, allowances = {"a": 0, "b": 0}, Allowances()

    def run(name):
        calls[name] += 1
        if name == "b" and calls[name] == 2:
            raise RuntimeError("broken")

    steps = {name: (lambda name=name: run(name)) for name in calls}
    found = interleaved(steps, 3, CPU, lambda name: allowances.spending(name, is_peer=True))
    assert set(found) == {"a"}
    assert calls == {"a": 4, "b": 2}
    assert found["a"]["wall_ms"]["rounds"] == 3
    assert allowances.skipped == {"b": "RuntimeError: broken"}


def test_one_layer_is_measured_whole():
    allowances = Allowances()
    methods = {"preallocated": FULL["preallocated"], "int4": ours()["int4"], "best2": ours()["best2"]}
    found = layer_speed(Shape(heads=2, head_dim=32), 512, methods, ("eager",), 2, allowances)
    assert set(found["methods"]) == {"preallocated", "int4 eager", "best2 eager"}
    for row in found["methods"].values():
        assert row["bits_per_element"] == 8 * row["bytes"] / found["elements"]
        assert row["wall_ms"]["min"] <= row["wall_ms"]["median"] <= row["wall_ms"]["max"]
        assert row["limit_ms"] > 0
    with pytest.raises(BadInput, match="rounds"):
        layer_speed(Shape(heads=2, head_dim=32), 512, methods, ("eager",), 1000, allowances)
