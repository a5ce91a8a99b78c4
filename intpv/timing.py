"""Laps: how long named parts of a computation take, for whoever listens; where nobody does nothing is timed.

A GPU answers before it is done: with a listener the device is waited for at both ends of a lap, without one never.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

Laps = dict[str, list[float]]  # name -> seconds of each time it was run

_listener: ContextVar[Laps | None] = ContextVar("laps", default=None)


@contextmanager
def laps() -> Iterator[Laps]:
    """Listen: all laps inside are in what is handed out. An inner listener takes them from an outer one."""
    taken: Laps = {}
    before = _listener.set(taken)
    try:
        yield taken
    finally:
        _listener.reset(before)


@contextmanager
def lap(name: str, device: torch.device) -> Iterator[None]:
    """A part that is timed if somebody listens; one that raises is not."""
    taken = _listener.get()
    if taken is None:
        yield
        return
    wait_for(device)
    start = time.perf_counter()
    yield
    wait_for(device)
    taken.setdefault(name, []).append(time.perf_counter() - start)


def wait_for(*devices: torch.device) -> None:
    """Until all that was asked of the devices is done; a CPU always is."""
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
