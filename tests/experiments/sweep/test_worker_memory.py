"""A worker that runs cell after cell: what it holds at the end is what it held once it had seen every kind of them."""

from itertools import product

import psutil
import pytest

from experiments.run.command import unchecked
from experiments.sweep import crew
from experiments.sweep.crew import Patience
from experiments.sweep.plan import Planned
from experiments.sweep.worker_process import WorkerProcess

CELLS, WARM = 120, 48  # cells in all, and those after which nothing more is to be held
GROWTH = 1.05  # of the resident memory from there on, at most: a model kept per cell would be seen after a few
KINDS = list(product(("none", "yarn"), (8, 16)))
LEVELS = ("none", "int8", "int2")  # of one prefix, in a batch

pytestmark = pytest.mark.slow


def log_config(folder):
    """As Hydra configures a job's log."""
    file = {"class": "logging.FileHandler", "filename": str(folder / "evaluate.log")}
    root = {"level": "INFO", "handlers": ["file"]}
    return {"version": 1, "disable_existing_loggers": False, "handlers": {"file": file}, "root": root}


def batches(bench, number):
    """Batches of cells without end that differ in strategy, frames, KV level and seed."""
    own = [
        *(one for one in bench.arguments() if "data.limit" not in one),
        "logger=none",
        "trainer.threads=1",
        "data.limit=1",
        "sweep.name=long",
    ]
    composed = {
        (*kind, kv): unchecked([*own, f"rope_strategy={kind[0]}", f"frames={kind[1]}", f"kv_quant={kv}"])
        for kind in KINDS
        for kv in LEVELS
    }
    for place in range(number // len(LEVELS)):
        batch = []
        for kv in LEVELS:
            config, choices = composed[*KINDS[place % len(KINDS)], kv]
            folder = bench.folder / "runs" / "long" / f"{place:03d}-{kv}"
            folder.mkdir(parents=True)
            batch.append(Planned(folder, {**config, "seed": place}, dict(choices), [], log_config(folder)))
        yield batch


def test_memory_and_open_files_do_not_grow_with_the_cells(bench, monkeypatch):
    monkeypatch.chdir(bench.folder)
    workers, ends, resident, files = [], [], [], []

    def start(place):
        workers.append(WorkerProcess(place, 1, None))
        return workers[-1]

    def on_event(worker, cell, event):
        if event["event"] in ("done", "failed", "crash", "disk"):
            process = psutil.Process(workers[-1].popen.pid)
            ends.append(event["event"])
            resident.append(process.memory_info().rss)
            files.append(process.num_fds())

    crew.run(list(batches(bench, CELLS)), 1, start, on_event, Patience())
    assert ends == ["done"] * CELLS
    assert len(workers) == 1
    assert max(files[WARM:]) <= max(files[:WARM]) + 4  # some are open for a moment
    assert max(resident[WARM:]) < GROWTH * resident[WARM], [size >> 20 for size in resident[:: len(LEVELS)]]
