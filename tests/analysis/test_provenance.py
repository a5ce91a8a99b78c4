"""The head of a sweep's table: what its cells and Hydra have written down, and what differs between them."""

import json
from functools import reduce

import pytest
import yaml

from analysis.provenance import provenance_lines
from analysis.runs import read_sweep
from analysis.table import write_markdown

from .test_results import in_markdown

RUNTIME = ("hydra", "runtime", "choices")
ENVIRONMENT = {
    "commit": "0123456789" * 4,
    "clean": True,
    "python": "3.11.7",
    "device": "cpu",
    "device_name": "a CPU",
    "threads": 1,
    "packages": {"torch": "2.13.0", "transformers": "5.23.0"},
}


@pytest.fixture
def known(sweep):
    """A sweep whose cells have all been run at one commit."""
    for cell in read_sweep(sweep):
        (cell.folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    overrides = {"hydra": ["hydra.mode=MULTIRUN"], "task": ["frames=8,32", "data.root=a b", "sweep.dry_run=true"]}
    hydra = {"overrides": overrides, "runtime": {"config_sources": [{"path": "conf", "provider": "main"}]}}
    (sweep / "multirun.yaml").write_text(yaml.safe_dump({"hydra": hydra}))
    return sweep


def test_a_table_states_what_published_results_must(known):
    write_markdown(read_sweep(known), known / "table.md", "made up")
    text = (known / "table.md").read_text(encoding="utf-8")
    assert in_markdown(text) == []
    assert "- command: `python -m experiments.evaluate -m frames=8,32 'data.root=a b'`\n" in text
    assert text.count(ENVIRONMENT["commit"]) == 1


def test_another_commit_of_one_cell_is_said(known):
    changed = {**ENVIRONMENT, "commit": "f" * 40, "clean": False}
    (read_sweep(known)[3].folder / "environment.json").write_text(json.dumps(changed))
    lines = provenance_lines(known, read_sweep(known))
    assert f"- commit: {ENVIRONMENT['commit']}, clean; {'f' * 40}, not clean\n" in lines
    assert in_markdown(lines) == ["commit"]


def test_what_is_not_written_down_is_said_to_be_so(sweep):
    assert set(in_markdown(provenance_lines(sweep, read_sweep(sweep)))) == {"command", "commit", "device", "versions"}


def test_prompts_and_scorers_are_said_each_once(sweep):
    for cell, prompt in zip(read_sweep(sweep), ["lmms_eval", "{question}\nShortly:"] * 4, strict=True):
        for name, key, more in (("config", ("data",), {"prompt": prompt}), ("hydra", RUNTIME, {"scorer": "letters"})):
            file = cell.folder / ".hydra" / f"{name}.yaml"
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
            reduce(dict.__getitem__, key, found).update(more)
            file.write_text(yaml.safe_dump(found), encoding="utf-8")
    lines = provenance_lines(sweep, read_sweep(sweep))
    assert '- prompt: flipbook "lmms_eval"; flipbook "{question}\\nShortly:"\n' in lines
    assert "- scorer: letters\n" in lines
