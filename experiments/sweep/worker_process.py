"""WorkerProcess: the crew's side of worker.py - start it, hand it batches, read its events, end it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from .plan import Planned
from .worker import STACKS

PATIENCE = 15  # seconds that a worker has for its last words after Ctrl-C


class Worker(ABC):
    """What a crew knows of a worker, wherever it runs, and what is left of the batch that it has."""

    pending = False  # whether it still waits for a machine to run on
    lost = False  # whether it went with its machine, through no fault of its cell

    def __init__(self, place: int, share: int, events: int):
        self.place, self.share = place, share  # share: how many work side by side on its machine
        self.batch: deque[Planned] = deque()  # the cell at hand first
        self.tower_key: str | None = None  # of the last batch
        self.started = False  # whether it has got to a cell at all
        self.heard, self.reported = time.monotonic(), False  # when it last said something; that it has not since
        self.events, self._rest = events, b""  # a descriptor that gives lines of JSON

    def run(self, batch: Sequence[Planned]) -> None:
        """Hand over a batch; its events follow, ended by `free`."""
        self.batch, self.tower_key = deque(batch), batch[0].tower_key
        cells = [
            {"folder": str(c.folder), "config": c.config, "choices": c.choices, "log_config": c.log_config}
            for c in batch
        ]
        self.write(json.dumps({"cells": cells, "share": self.share}).encode() + b"\n")

    def read(self) -> Iterator[dict] | None:
        """The events that are there; None at their end."""
        content = os.read(self.events, 1 << 16)
        self.heard, self.reported = time.monotonic(), False
        if not content:
            return None
        *lines, self._rest = (self._rest + content).split(b"\n")
        return map(json.loads, lines)

    @abstractmethod
    def write(self, line: bytes) -> None:
        """To its standard input; of one that is gone, the end of its events tells."""

    @abstractmethod
    def interrupt(self) -> None:
        """Ctrl-C: `end(at_once=False)` then waits for its last words."""

    @abstractmethod
    def abort(self) -> None:
        """End one that hangs, its threads' stacks first in the log of its cell."""

    @abstractmethod
    def first_words(self) -> str:
        """The last line of what it said before it got to a cell."""

    @abstractmethod
    def fate(self) -> str:
        """How it ended."""

    @abstractmethod
    def end(self, at_once: bool = True) -> None:
        """Kill it; or let it say its last words first."""


class WorkerProcess(Worker):
    """One on this machine."""

    def __init__(self, place: int, share: int, device: str | None):
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
        super().__init__(place, share, reading)

    def write(self, line: bytes) -> None:
        with suppress(BrokenPipeError):
            self._requests.write(line)
            self._requests.flush()

    def interrupt(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)

    def abort(self) -> None:
        if self.started:
            self.popen.send_signal(STACKS)
            time.sleep(1)  # to write them
        self.popen.kill()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(PATIENCE)  # until then it holds its cell's lock

    def first_words(self) -> str:
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else ""

    def fate(self) -> str:
        code = self.popen.wait()
        if code >= 0:
            return f"the interpreter exited with status {code}"
        hint = ", by which Linux ends a process when memory runs out" if code == -signal.SIGKILL else ""
        return f"the interpreter crashed ({signal.Signals(-code).name}{hint})"

    def end(self, at_once: bool = True) -> None:
        if not at_once:
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(PATIENCE)
        self.popen.kill()
        with suppress(subprocess.TimeoutExpired):  # one that waits for a dead file server cannot even be killed
            self.popen.wait(PATIENCE)
        with suppress(BrokenPipeError):
            self._requests.close()
        os.close(self.events)
        self._said.close()
