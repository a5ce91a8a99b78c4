"""Crew: a cell whose worker is lost goes on with another; under every engine no two workers share a GPU."""

import json
import os
import subprocess
import sys

import pytest

from experiments.sweep import crew
from experiments.sweep.crew import Patience
from experiments.sweep.launcher import LocalEngine
from experiments.sweep.plan import Planned
from experiments.sweep.submitit_engine import Task
from experiments.sweep.worker_process import Worker

# a worker as the crew knows it, which says what it sees
STAND_IN = """
import json, os, sys
for line in sys.stdin:
    for cell in json.loads(line)["cells"]:
        name, sees = os.path.basename(cell["folder"]), os.environ.get("CUDA_VISIBLE_DEVICES")
        for event in ({"event": "cell", "cell": name}, {"event": "done", "cell": name, "sees": sees}):
            os.write(int(sys.argv[1]), (json.dumps(event) + "\\n").encode())
    os.write(int(sys.argv[1]), b'{"event": "free"}\\n')
"""
KEYS = ("data", "video", "encoder", "model", "rearranger", "budget", "kv_evict", "passes", "seed")


def planned(folder, *names):
    config = {**{key: {} for key in KEYS}, "frames": 8, "rope_strategy": {}}
    return [Planned(folder / name, config, {}, [], {}) for name in names]


class FragileWorker(Worker):
    """Does its cells at once, but is lost with its machine as often as `fragile` says of a cell."""

    def __init__(self, place, fragile):
        reading, self.writing = os.pipe()
        super().__init__(place, 1, reading)
        self.fragile = fragile

    def write(self, line):
        for cell in self.batch:
            self._say({"event": "cell", "cell": cell.name})
            if self.fragile.get(cell.name, 0):
                self.fragile[cell.name] -= 1
                self.lost = True
                os.close(self.writing)
                return
            self._say({"event": "done", "cell": cell.name})
        self._say({"event": "free"})

    def _say(self, event):
        os.write(self.writing, json.dumps(event).encode() + b"\n")

    def interrupt(self): ...

    def abort(self): ...

    def first_words(self):
        return ""

    def fate(self):
        return "its machine is gone"

    def end(self, at_once=True):
        os.close(self.events)
        if not self.lost:
            os.close(self.writing)


@pytest.mark.parametrize(("losses", "kind"), [(1, "done"), (2, "done"), (3, "lost")])
def test_a_cell_whose_machine_is_gone_goes_on_elsewhere_up_to_its_requeues(tmp_path, losses, kind):
    told, fragile = [], {"second": losses}
    batch = planned(tmp_path, "first", "second", "third")

    def on_event(worker, cell, event):
        told.append(event)

    crew.run([batch], 1, lambda place: FragileWorker(place, fragile), on_event, Patience(), requeues=2)
    ended = [(event["event"], event["cell"]) for event in told if event["event"] in ("done", "crash", "lost")]
    assert ended == [("done", "first"), (kind, "second"), ("done", "third")]
    warned = [event["line"] for event in told if event["event"] == "warning"]
    assert warned == ["second: its machine is gone; another worker goes on with it"] * min(losses, 2)
    fates = [event["fate"] for event in told if event["event"] == "lost"]
    assert fates == ["its machine is gone; the same command goes on with it"] * (kind == "lost")


@pytest.mark.parametrize("engine", ["workers", "submitit"])
@pytest.mark.parametrize(
    ("seen", "gpus", "expected"),
    [
        ("0,1,2,3,4,5,6,7", 1, ["0", "1", "2", "3", "4", "5", "6", "7"]),
        ("7,5,3,1", 1, ["1", "3", "5", "7"]),
        ("0,1,2,3,4,5,6,7", 2, ["0,1", "2,3", "4,5", "6,7"]),
        ("GPU-8a,GPU-8b", 1, ["GPU-8a", "GPU-8b"]),
        ("MIG-11,MIG-12,MIG-13", 1, ["MIG-11", "MIG-12", "MIG-13"]),
        ("MIG-GPU-8a/1/0,MIG-GPU-8a/2/0", 1, ["MIG-GPU-8a/1/0", "MIG-GPU-8a/2/0"]),
    ],
)
def test_each_of_eight_gpus_is_one_workers(tmp_path, monkeypatch, engine, seen, gpus, expected):
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **more: start([sys.executable, "-S", "-c", STAND_IN, command[-1]], **more)
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    cells = planned(tmp_path, *map(str, range(len(expected))))
    told = []
    if engine == "workers":
        LocalEngine().run(cells, "auto", gpus, lambda _, cell, event: told.append(event), Patience())
    else:
        told += [event for _, event in Task([[cell] for cell in cells], "auto", gpus, Patience())()]
    assert sorted(event["sees"] for event in told if event["event"] == "done") == expected
