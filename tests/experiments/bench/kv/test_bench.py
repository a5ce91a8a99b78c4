"""The verb writes what it has measured as it goes, figures and a table."""

import json
import sys

import pytest
from omegaconf import OmegaConf

from experiments.bench.kv import bench
from experiments.bench.kv.methods import PEERS, ours
from experiments.bench.kv.tables import markdown
from experiments.run.command import changed
from intpv.errors import BadInput


def without_path(names):
    return {name.removesuffix(" eager").removesuffix(" sdpa") for name in names}


def test_the_verb_writes_figures_and_a_table_as_it_goes(tmp_path, monkeypatch):
    out = tmp_path / "kv.json"
    small = [f"out={out}", "sections=[speed,rows]", "tokens=[256]", "heads=2", "rounds=1", "rows=[2]"]
    monkeypatch.setattr(sys, "argv", ["bench kv", *small])
    monkeypatch.setattr(bench, "DECODES", ("eager",))
    bench.main()
    result = json.loads(out.read_text())
    measured = result["speed"]["256"]["methods"]
    # every method is either in the table or skipped by name
    assert without_path(measured) | set(result["skipped"]) == {
        *PEERS,
        *ours(),
    }
    rows = result["rows"]["256"]["rows"]["2"]
    assert without_path(rows) | set(result["skipped"]) >= {
        "dense",
        *ours(),
    }
    assert rows["dense"]["times_dense"]["cpu_ms"]["median"] == 1
    assert markdown(result) == out.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("roundz=3", "roundz"),
        ("sections=[sped]", r"some of fidelity, flipbook, speed, rows, decoder, text, smollm2, got \['sped'\]"),
        ("sections=[]", r"sections must be a list with something in it, .*, got \[\]"),  # the last result as new
        ("device=gpu", "device must be cpu, or cuda where torch sees a GPU, got gpu"),
        ("options=[int3]", "kv_quant must be one of .*int2.*, got int3"),
        ("rounds=many", "rounds must be a whole number of at least 1, got many"),
        ("tokens=[nan]", "tokens must be a whole number of at least 1, got nan"),
        ("tokens=[4096,1000]", "whole frames of 256, got 1000"),
    ],
)
def test_what_cannot_be_measured_is_refused(wrong, line):
    with pytest.raises(BadInput, match=line):
        bench.checked(OmegaConf.to_container(changed(bench.DEFAULTS, [wrong])))
