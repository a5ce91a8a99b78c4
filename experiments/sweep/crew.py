"""Crew: workers that run batches of cells. A worker that dies costs one cell, and is replaced."""

import selectors
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from intpv.errors import BadInput

from .plan import Planned
from .worker_process import Worker, WorkerProcess

START = 600  # seconds to start, however soon one that is silent is ended: imports from a slow disk take minutes


@dataclass(frozen=True)
class Patience:
    """How long a worker may say nothing, not even that a video is done, in seconds; None for ever."""

    silent_s: float | None = 600  # then it is reported
    timeout_s: float | None = None  # then it is ended

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if value is not None and not (type(value) in (int, float) and 0 < value < float("inf")):
                raise BadInput(f"sweep.{key} must be a number of seconds above 0, or null, got {value}")

    def limit(self, worker: Worker) -> float | None:
        """Seconds after which a worker that says nothing is ended; one that no node has taken yet is not."""
        if worker.pending:
            return None
        return self.timeout_s if self.timeout_s is None or worker.started else max(self.timeout_s, START)

    def longest_wait(self, crew: Sequence[Worker]) -> float | None:
        """Seconds until one of the crew has used up some of it; None while nobody can."""
        now = time.monotonic()
        limits = [self.limit(worker) for worker in crew]
        limits += [None if worker.reported else self.silent_s for worker in crew]
        heard = [worker.heard for worker in crew] * 2
        left = [then + limit - now for then, limit in zip(heard, limits, strict=True) if limit is not None]
        return max(0.0, min(left)) if left else None


def processes(share: int, devices: Sequence[str | None]) -> Callable[[int], Worker]:
    """What starts a worker as a process here: `share` of them on this machine, the devices in turns."""
    return lambda place: WorkerProcess(place, share, devices[place % len(devices)])


def run(
    batches: Sequence[Sequence[Planned]],
    workers: int,
    start: Callable[[int], Worker],
    on_event: Callable,
    patience: Patience,
    requeues: int = 0,
) -> None:
    """Run all batches, `start(place)` a worker for each of `workers` places. `on_event(worker, cell, event)` gets every
    event; a dead worker's is `crash` with its fate, one that says nothing for long is `silent`, and ended in the end.
    A cell whose worker is lost with its node is given to another up to `requeues` times, and then is `lost`.

    Returns early after an event `disk`: no other cell could be written either. Raises BadInput if no worker starts.
    """
    waiting = list(batches)
    selector = selectors.DefaultSelector()
    crew: list[Worker] = []
    losses: Counter[str] = Counter()  # of a cell

    def hire(place: int) -> None:
        worker = start(place)
        crew.append(worker)
        selector.register(worker.events, selectors.EVENT_READ, worker)
        give(worker)

    def give(worker: Worker) -> None:
        others = {other.tower_key for other in crew if other is not worker}
        worker.run(waiting.pop(_fitting(waiting, worker.tower_key, others)))

    def dismiss(worker: Worker, fate: str | None) -> None:
        """`fate` of one that did not end as it should: its cell has crashed, another worker takes the rest."""
        selector.unregister(worker.events)
        crew.remove(worker)
        if fate is not None:
            if worker.lost and worker.batch and losses[worker.batch[0].name] < requeues:
                losses[worker.batch[0].name] += 1
                line = f"{worker.batch[0].name}: {fate}; another worker goes on with it"
                on_event(worker.place, None, {"event": "warning", "line": line})
            else:
                _bury(worker, fate, on_event)
            # each alone: the one to blame may have been asked ahead of its turn, see ahead.py
            waiting[:0] = [[cell] for cell in worker.batch]
        worker.end()
        if fate is not None and waiting:
            hire(worker.place)

    at_once = True
    try:
        for place in range(min(workers, len(waiting))):
            hire(place)
        while crew:
            for key, _ in selector.select(patience.longest_wait(crew)):
                worker: Worker = key.data
                events, idle = worker.read(), False
                for event in events if events is not None else ():
                    if not _handle(worker, event, on_event):
                        return
                    if event["event"] == "free":
                        idle = not waiting
                        if waiting:
                            give(worker)
                if events is None or idle:
                    dismiss(worker, worker.fate() if events is None else None)
            for worker in list(crew):
                silence = time.monotonic() - worker.heard
                limit = patience.limit(worker)
                if limit is not None and silence >= limit:
                    worker.abort()
                    dismiss(worker, f"it said nothing for {limit:g} s and was ended (sweep.timeout_s)")
                elif patience.silent_s is not None and silence >= patience.silent_s and not worker.reported:
                    worker.reported = True
                    _report(worker, silence, limit, on_event)
    except KeyboardInterrupt:
        at_once = False
        raise
    finally:
        for worker in crew if not at_once else ():  # all at once, before any is waited for
            worker.interrupt()
        for worker in crew:
            worker.end(at_once)


def _fitting(waiting: Sequence[Sequence[Planned]], own: str | None, others: set[str | None]) -> int:
    """Where to go on: with the tower outputs this worker knows, else with some that no other is just computing."""
    keys = [batch[0].tower_key for batch in waiting]
    if own in keys:
        return keys.index(own)
    return next((place for place, key in enumerate(keys) if key not in others), 0)


def _handle(worker: Worker, event: dict, on_event: Callable) -> bool:
    """Whether the sweep goes on."""
    kind = event["event"]
    worker.started = worker.started or kind == "cell"
    cell = worker.batch[0] if worker.batch else None
    if kind in ("done", "failed", "disk", "busy"):
        worker.batch.popleft()
    on_event(worker.place, cell, event)
    return kind != "disk"


def _report(worker: Worker, silence: float, limit: float | None, on_event: Callable) -> None:
    cell = worker.batch[0] if worker.batch else None
    name = cell.name if cell else ""
    on_event(worker.place, cell, {"event": "silent", "cell": name, "seconds": silence, "limit": limit})


def _bury(worker: Worker, fate: str, on_event: Callable) -> None:
    if not worker.started and not worker.lost:
        raise BadInput(f"no worker process can be started: {worker.first_words() or fate}")
    if not worker.batch:
        return
    cell = worker.batch.popleft()
    if worker.lost:
        event = {"event": "lost", "fate": f"{fate}; the same command goes on with it"}
    else:
        event = {"event": "crash", "fate": fate, "trace": _trace(cell.folder)}
    on_event(worker.place, cell, {**event, "cell": cell.name})


def _trace(folder: Path) -> str:
    """What the interpreter wrote into the cell's log as it crashed."""
    log = folder / "evaluate.log"
    content = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return content[content.rfind("Fatal Python error") :] if "Fatal Python error" in content else content[-4000:]
