"""Every part runs by the code that a GPU runs, at a size for a CPU; what fails or is too late is said, not lost."""

import json
import sys

import pytest
import torch
from omegaconf import OmegaConf

from experiments.bench.gpu import bench
from experiments.bench.gpu.tables import as_markdown
from experiments.run.command import changed
from intpv.errors import BadInput

SMALL = {
    **{"layers": 2, "heads": 2, "kv_heads": 2, "head_dim": 32, "hidden": 64, "intermediate": 64, "vocabulary": 200},
    **{"tower_layers": 2, "tower_run": 1, "tower_hidden": 64, "tower_intermediate": 64, "image_size": 28},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    def run(*arguments: str) -> dict:
        out = tmp_path / "gpu.json"
        sizes = [f"{name}={value}" for name, value in SMALL.items()]
        given = ["device=cpu", "frames=[8,16]", "rows=[1,5]", "rounds=1", f"out={out}", *sizes, *arguments]
        monkeypatch.setattr(sys, "argv", ["bench gpu", *given])
        bench.main()
        result = json.loads(out.read_text())
        assert as_markdown(result) == out.with_suffix(".md").read_text()
        return result

    return run


@pytest.mark.slow
def test_every_part_is_measured(run):
    result = run("parts=[contract,answering,measuring,decoder,rows,cost]")
    assert result["left_out"] == {}
    names = ["contract in bfloat16", "contract in float32", "answering 8", "answering 16", "measuring", "decoder 8"]
    assert list(result["parts"]) == [*names, "decoder 16", "rows", "cost"]
    for dtype in ("bfloat16", "float32"):
        of = result["parts"][f"contract in {dtype}"]["options"]
        assert list(of) == bench.OPTIONS
        assert all(one["holds"] for rows in of.values() for one in rows.values())
        assert of["none"]["1"]["path"] == "sdpa"
    for frames in (8, 16):
        options = result["parts"][f"answering {frames}"]["options"]
        assert options["int2"]["bytes"] < options["int8"]["bytes"] < options["none"]["bytes"]
        assert options["none"]["same_tokens"] == 1  # transformers' generate says the same from its own cache
    assert result["parts"]["measuring"]["times_watch_and_ask"] > 0
    assert {"dynamic", "none sdpa", "int2 eager"} <= set(result["parts"]["decoder 8"]["methods"])
    assert {"dense", "none sdpa", "int2 auto"} <= set(result["parts"]["rows"]["rows"]["5"])
    assert [row["frames"] for row in result["parts"]["cost"]["measured"]] == [8, 16]


def test_what_fails_or_comes_too_late_is_named(run, monkeypatch):
    monkeypatch.setattr(bench, "contract", lambda *_: 1 / 0)
    result = run("parts=[contract,rows]", "options=[int4]")
    assert result["left_out"]["contract in bfloat16"] == "ZeroDivisionError: division by zero"
    assert list(result["parts"]) == ["rows"]
    clock = iter([0.0, 600.0])
    monkeypatch.setattr(bench.time, "monotonic", lambda: next(clock))
    late = run("parts=[rows]", "minutes=9")
    assert late["parts"] == {}
    assert late["left_out"] == {"rows": "10.0 minutes had passed"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_refuses_what_it_cannot_measure():
    for wrong, line in (
        ("device=cuda", "torch sees no GPU"),
        ("parts=[tables]", "parts must be some of .*, got tables"),
    ):
        with pytest.raises(BadInput, match=line):
            bench.measurable(OmegaConf.to_container(changed(bench.DEFAULTS, [wrong])))
