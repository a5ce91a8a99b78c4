"""Crew: worker processes that run batches of cells. A worker that dies costs one cell, and is replaced."""

import selectors
from collections.abc import Callable, Sequence
from pathlib import Path

from intpv.errors import BadInput

from .plan import Planned
from .worker_process import WorkerProcess


def run(batches: Sequence[Sequence[Planned]], workers: int, devices: Sequence[str | None], on_event: Callable) -> None:
    """Run all batches. `on_event(worker, cell, event)` gets every event; a dead worker's is `crash` with its fate.

    Returns early after an event `disk`: no other cell could be written either. Raises BadInput if no worker starts.
    """
    waiting = list(batches)
    selector = selectors.DefaultSelector()
    crew: list[WorkerProcess] = []

    def hire(place: int) -> None:
        worker = WorkerProcess(place, workers, devices[place % len(devices)])
        crew.append(worker)
        selector.register(worker.events, selectors.EVENT_READ, worker)
        give(worker)

    def give(worker: WorkerProcess) -> None:
        others = {other.tower_key for other in crew if other is not worker}
        worker.run(waiting.pop(_fitting(waiting, worker.tower_key, others)))

    at_once = True
    try:
        for place in range(min(workers, len(waiting))):
            hire(place)
        while crew:
            for key, _ in selector.select():
                worker: WorkerProcess = key.data
                events, idle = worker.read(), False
                for event in events if events is not None else ():
                    if not _handle(worker, event, on_event):
                        return
                    if event["event"] == "free":
                        idle = not waiting
                        if waiting:
                            give(worker)
                if events is not None and not idle:
                    continue
                selector.unregister(worker.events)
                crew.remove(worker)
                if events is None:
                    _bury(worker, on_event)
                    waiting[:0] = [list(worker.batch)] if worker.batch else []
                worker.end()
                if events is None and waiting:
                    hire(worker.place)
    except KeyboardInterrupt:
        at_once = False
        raise
    finally:
        for worker in crew:
            worker.end(at_once)


def _fitting(waiting: Sequence[Sequence[Planned]], own: str | None, others: set[str]) -> int:
    """Where to go on: with the tower outputs this worker knows, else with some that no other is just computing."""
    keys = [batch[0].tower_key for batch in waiting]
    if own in keys:
        return keys.index(own)
    return next((place for place, key in enumerate(keys) if key not in others), 0)


def _handle(worker: WorkerProcess, event: dict, on_event: Callable) -> bool:
    """Whether the sweep goes on."""
    kind = event["event"]
    worker.started = worker.started or kind == "cell"
    cell = worker.batch[0] if worker.batch else None
    if kind in ("done", "failed", "disk"):
        worker.batch.popleft()
    on_event(worker.place, cell, event)
    return kind != "disk"


def _bury(worker: WorkerProcess, on_event: Callable) -> None:
    fate = worker.fate()
    if not worker.started:
        raise BadInput(f"no worker process can be started: {worker.first_words() or fate}")
    if worker.batch:
        cell = worker.batch.popleft()
        on_event(worker.place, cell, {"event": "crash", "cell": cell.name, "fate": fate, "trace": _trace(cell.folder)})


def _trace(folder: Path) -> str:
    """What the interpreter wrote into the cell's log as it crashed."""
    log = folder / "evaluate.log"
    content = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return content[content.rfind("Fatal Python error") :] if "Fatal Python error" in content else content[-4000:]
