"""WorkerProcess: the crew's side of worker.py - start it, hand it batches, read its events, end it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from .plan import Planned

PATIENCE = 15  # seconds that a worker has for its last words after Ctrl-C


class WorkerProcess:
    """One worker, and what is left of the batch it has."""

    def __init__(self, place: int, share: int, device: str | None):
        self.place, self.share = place, share
        self.batch: deque[Planned] = deque()  # the cell at hand first
        self.tower_key: str | None = None  # of the last batch
        self.started = False  # whether it has got to a cell at all
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  what it prints before there is a cell's log
        reading, writing = os.pipe()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.worker", str(writing)],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            pass_fds=[writing],
            env=environment,
        )
        os.close(writing)
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
            self.popen.stdin.write(line.encode())
            self.popen.stdin.flush()

    def read(self) -> Iterator[dict] | None:
        """The events that are there; None at their end."""
        content = os.read(self.events, 1 << 16)
        if not content:
            return None
        *lines, self._rest = (self._rest + content).split(b"\n")
        return map(json.loads, lines)

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
        self.popen.wait()
        with suppress(BrokenPipeError):
            self.popen.stdin.close()
        os.close(self.events)
        self._said.close()
