"""The verb writes what it has measured as it goes, figures and a table."""

import json
import sys

import pytest

from experiments import bench_kv
from experiments.kv_bench.methods import PEERS, PRESETS
from experiments.kv_bench.tables import markdown
from intpv.errors import BadInput


def test_the_verb_writes_figures_and_a_table_as_it_goes(tmp_path, monkeypatch):
    out = tmp_path / "kv.json"
    small = [f"out={out}", "sections=[speed,rows]", "tokens=[256]", "heads=2", "rounds=1", "rows=[2]"]
    monkeypatch.setattr(sys, "argv", ["bench_kv", *small])
    monkeypatch.setattr(bench_kv, "DECODES", ("eager",))
    bench_kv.main()
    result = json.loads(out.read_text())
    measured = result["speed"]["256"]["methods"]
    # every method is either in the table or skipped by name
    assert {name.removesuffix(" eager") for name in measured} | set(result["skipped"]) == {*PEERS, *PRESETS}
    rows = result["rows"]["256"]["rows"]["2"]
    assert {name.removesuffix(" eager") for name in rows} | set(result["skipped"]) >= {"dense", *PRESETS}
    assert rows["dense"]["times_dense"]["cpu_ms"]["median"] == 1
    assert markdown(result) == out.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("roundz=3", "roundz"),
        ("sections=[sped]", r"some of fidelity, flipbook, speed, rows, decoder, got \['sped'\]"),
        ("sections=[]", r"some of fidelity, .*, got \[\]"),
        ("tokens=[4096,1000]", "whole frames of 256, got 1000"),
    ],
)
def test_what_cannot_be_measured_is_refused(wrong, line):
    with pytest.raises(BadInput, match=line):
        bench_kv.given([wrong])
