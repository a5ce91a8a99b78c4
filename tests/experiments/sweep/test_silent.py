"""A worker that says nothing is reported with its cell, then ended; the sweep goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.sweep import crew
from experiments.sweep.crew import Patience
from experiments.sweep.plan import Planned
from intpv.errors import BadInput

from ..cli import read

STRATEGY = """
import time
from dataclasses import dataclass
from intpv.rope_strategy.strategy import RopeStrategy

@dataclass(frozen=True, kw_only=True)
class Sleeps(RopeStrategy):
    def positions(self, layout, factor):
        time.sleep(3600)
"""
# a worker as the crew knows it: says which cell it is at, and of all but `hangs` that it is done
STAND_IN = """
import json, os, sys, time
for line in sys.stdin:
    for cell in json.loads(line)["cells"]:
        name = os.path.basename(cell["folder"])
        os.write(int(sys.argv[1]), (json.dumps({"event": "cell", "cell": name}) + "\\n").encode())
        if name == "hangs":
            time.sleep(3600)
        os.write(int(sys.argv[1]), (json.dumps({"event": "done", "cell": name}) + "\\n").encode())
    os.write(int(sys.argv[1]), b'{"event": "free"}\\n')
"""


@pytest.fixture
def stand_in(monkeypatch):
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **more: start([sys.executable, "-c", STAND_IN, command[-1]], **more)
    )


def cells(folder: Path, *names: str) -> list[list[Planned]]:
    config = {
        key: {}
        for key in ("data", "video", "encoder", "model", "rearranger", "budget", "kv_evict", "passes", "frames", "seed")
    }
    return [[Planned(folder / name, config, {}, [], {}) for name in names]]


@pytest.mark.slow
def test_it_is_reported_once_then_ended_and_the_rest_is_run_by_another(tmp_path, stand_in):
    events = []
    crew.run(
        cells(tmp_path, "first", "hangs", "last"),
        1,
        crew.processes(1, [None]),
        lambda worker, cell, event: events.append((event["event"], cell and cell.name, event)),
        Patience(silent_s=3, timeout_s=8),
    )
    assert [(kind, name) for kind, name, _ in events if kind not in ("cell", "free")] == [
        ("done", "first"),
        ("silent", "hangs"),
        ("crash", "hangs"),
        ("done", "last"),
    ]
    (fate,) = (event["fate"] for kind, _, event in events if kind == "crash")
    assert fate == "it said nothing for 8 s and was ended (sweep.timeout_s)"


def test_one_that_never_starts_is_ended_too(tmp_path, monkeypatch):
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **more: start([sys.executable, "-c", "input(); input()"], **more)
    )
    monkeypatch.setattr(crew, "START", 1)
    with pytest.raises(BadInput, match="no worker process can be started: it said nothing for 1 s"):
        crew.run(cells(tmp_path, "first"), 1, crew.processes(1, [None]), lambda *_: None, Patience(None, 1))


@pytest.mark.parametrize("value", [0, -1, "10", True, float("inf"), float("nan")])
@pytest.mark.parametrize("key", ["silent_s", "timeout_s"])
def test_patience_is_a_number_of_seconds(key, value):
    with pytest.raises(BadInput, match=rf"sweep\.{key} must be a number of seconds above 0, or null, got {value}"):
        Patience(**{key: value})


@pytest.mark.slow
def test_a_strategy_that_sleeps_for_ever(bench):
    (bench.folder / "sleeping.py").write_text(STRATEGY)
    targets = "sleeping.Sleeps,intpv.rope_strategy.none.NoScaling"
    said = bench.run(
        "-m", "sweep.name=asleep", f"rope_strategy._target_={targets}", "logger=none", "hydra.launcher.workers=1",
        "sweep.silent_s=30", "sweep.timeout_s=90", code=1,
    )  # fmt: skip
    statuses = {name: read(folder, "status.json") for name, folder in bench.cells("asleep").items()}
    (asleep,) = (name for name, status in statuses.items() if status["status"] == "failed")
    assert sorted(status["status"] for status in statuses.values()) == ["done", "failed"]
    assert f"silent {asleep}: nothing said for 30 s; it is ended after 90 s" in said
    assert f"failed {asleep}: it said nothing for 90 s and was ended (sweep.timeout_s)" in said
    assert 'sleeping.py", line 9 in positions' in statuses[asleep]["error"]["traceback"]
