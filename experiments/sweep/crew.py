"""Crew: worker processes that run batches of cells. A worker that dies costs one cell, and is replaced."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from intpv.errors import BadInput

from .plan import Planned
from .worker import STACKS

# WorkerProcess: the crew's side of worker.py - start it, hand it batches, read its events, end it.


PATIENCE = 15  # seconds that a worker has for its last words after Ctrl-C


class WorkerProcess:
    """One worker, and what is left of the batch it has."""

    def __init__(self, place: int, share: int, device: str | None):
        self.place, self.share = place, share
        self.batch: deque[Planned] = deque()  # the cell at hand first
        self.tower_key: str | None = None  # of the last batch
        self.started = False  # whether it has got to a cell at all
        self.heard, self.reported = time.monotonic(), False  # when it last said something; that it has not since
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  what it prints before there is a cell's log
        reading, writing = os.pipe()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        environment.pop("WANDB_SERVICE", None)  # in another process's W&B a crashed cell's run would be left open
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
            if "PYTORCH_CUDA_ALLOC_CONF" not in environment:  # the older name; what a user has chosen stays
                environment.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # prefixes differ in size
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.worker", str(writing)],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            pass_fds=[writing],
            env=environment,
        )
        os.close(writing)
        assert self.popen.stdin is not None  # it is a pipe
        self._requests = self.popen.stdin
        self.events, self._rest = reading, b""

    def run(self, batch: Sequence[Planned]) -> None:
        """Hand over a batch; its events follow, ended by `free`."""
        self.batch, self.tower_key = deque(batch), batch[0].tower_key
        cells = [
            {"folder": str(c.folder), "config": c.config, "choices": c.choices, "log_config": c.log_config}
            for c in batch
        ]
        line = json.dumps({"cells": cells, "share": self.share}) + "\n"
        with suppress(BrokenPipeError):  # the end of its events tells
            self._requests.write(line.encode())
            self._requests.flush()

    def read(self) -> Iterator[dict] | None:
        """The events that are there; None at their end."""
        content = os.read(self.events, 1 << 16)
        self.heard, self.reported = time.monotonic(), False
        if not content:
            return None
        *lines, self._rest = (self._rest + content).split(b"\n")
        return map(json.loads, lines)

    def abort(self) -> None:
        """End one that hangs, its threads' stacks first in the log of its cell."""
        if self.started:
            self.popen.send_signal(STACKS)
            time.sleep(1)  # to write them
        self.popen.kill()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(PATIENCE)  # until then it holds its cell's lock

    def first_words(self) -> str:
        """The last line of what it said before it got to a cell."""
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else ""

    def fate(self) -> str:
        """How it ended."""
        code = self.popen.wait()
        if code >= 0:
            return f"the interpreter exited with status {code}"
        hint = ", by which Linux ends a process when memory runs out" if code == -signal.SIGKILL else ""
        return f"the interpreter crashed ({signal.Signals(-code).name}{hint})"

    def end(self, at_once: bool = True) -> None:
        """Kill it; or let it say its last words first."""
        if not at_once and self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(PATIENCE)
        self.popen.kill()
        with suppress(subprocess.TimeoutExpired):  # one that waits for a dead file server cannot even be killed
            self.popen.wait(PATIENCE)
        with suppress(BrokenPipeError):
            self._requests.close()
        os.close(self.events)
        self._said.close()


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

    def limit(self, worker: WorkerProcess) -> float | None:
        """Seconds after which a worker that says nothing is ended."""
        return self.timeout_s if self.timeout_s is None or worker.started else max(self.timeout_s, START)

    def longest_wait(self, crew: Sequence[WorkerProcess]) -> float | None:
        """Seconds until one of the crew has used up some of it; None while nobody can."""
        now = time.monotonic()
        limits = [self.limit(worker) for worker in crew]
        limits += [None if worker.reported else self.silent_s for worker in crew]
        heard = [worker.heard for worker in crew] * 2
        left = [then + limit - now for then, limit in zip(heard, limits, strict=True) if limit is not None]
        return max(0.0, min(left)) if left else None


def run(
    batches: Sequence[Sequence[Planned]],
    workers: int,
    devices: Sequence[str | None],
    on_event: Callable,
    patience: Patience,
) -> None:
    """Run all batches. `on_event(worker, cell, event)` gets every event; a dead worker's is `crash` with its fate, one
    that says nothing for long is `silent`, and ended in the end.

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

    def dismiss(worker: WorkerProcess, fate: str | None) -> None:
        """`fate` of one that did not end as it should: its cell has crashed, another worker takes the rest."""
        selector.unregister(worker.events)
        crew.remove(worker)
        if fate is not None:
            _bury(worker, fate, on_event)
            waiting[:0] = [list(worker.batch)] if worker.batch else []
        worker.end()
        if fate is not None and waiting:
            hire(worker.place)

    at_once = True
    try:
        for place in range(min(workers, len(waiting))):
            hire(place)
        while crew:
            for key, _ in selector.select(patience.longest_wait(crew)):
                worker: WorkerProcess = key.data
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
        for worker in crew:
            worker.end(at_once)


def _fitting(waiting: Sequence[Sequence[Planned]], own: str | None, others: set[str | None]) -> int:
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
    if kind in ("done", "failed", "disk", "busy"):
        worker.batch.popleft()
    on_event(worker.place, cell, event)
    return kind != "disk"


def _report(worker: WorkerProcess, silence: float, limit: float | None, on_event: Callable) -> None:
    cell = worker.batch[0] if worker.batch else None
    name = cell.name if cell else ""
    on_event(worker.place, cell, {"event": "silent", "cell": name, "seconds": silence, "limit": limit})


def _bury(worker: WorkerProcess, fate: str, on_event: Callable) -> None:
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
