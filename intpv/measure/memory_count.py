"""Memory count: what a computation allocates on a device, at its peak and at its end, beyond what was there before.

On CUDA it is the allocator's own count (memory_allocated, max_memory_allocated; never what is reserved), over several
GPUs the sum of each one's peak, which is what they have to hold though it is not at one moment. A CPU's
allocator has none: there every storage that an operation hands out is counted while something holds it. Buffers that
live and die inside one operation are not seen on a CPU, nor is what other threads do. Never the process' resident size.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from intpv.laps import wait_for


@dataclass
class Count:
    """Known when the counting is over."""

    peak: int = 0  # bytes, the most that was held at once
    held: int = 0  # bytes, what was still held at the end


@contextmanager
def counting(*devices: torch.device) -> Iterator[Count]:
    """Count what happens inside; what was there before counts as nothing, also where it is freed."""
    count, kinds = Count(), {device.type for device in devices}
    if kinds == {"cuda"}:
        wait_for(*devices)
        before = sum(map(torch.cuda.memory_allocated, devices))
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        yield count
        wait_for(*devices)
        count.peak = sum(map(torch.cuda.max_memory_allocated, devices)) - before
        count.held = sum(map(torch.cuda.memory_allocated, devices)) - before
    elif kinds == {"cpu"}:
        with LiveStorages() as live:
            yield count
        count.peak, count.held = live.peak, live.held
    else:
        raise ValueError(f"memory is counted on cuda and cpu, got {', '.join(map(str, devices))}")


class LiveStorages(TorchDispatchMode):
    """Bytes of the storages made inside and alive; a view and what is written in place are no new storage."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self._alive: dict[int, weakref.ref] = {}  # by identity: the object of a storage lives as long as the storage

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {id(storage) for storage in _storages((args, tuple((kwargs or {}).values())))}
        for storage in _storages(result):
            if id(storage) not in given and id(storage) not in self._alive:
                self._see(storage)
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        identity, size = id(storage), storage.nbytes()
        self._alive[identity] = weakref.ref(storage, partial(self._gone, identity, size))
        self.held += size
        self.peak = max(self.peak, self.held)

    def _gone(self, identity: int, size: int, _: weakref.ref) -> None:
        self.held -= size
        del self._alive[identity]


def _storages(tree: object) -> Iterator[torch.UntypedStorage]:
    """Of the tensors among arguments or results, which operators nest in lists and tuples alone."""
    if isinstance(tree, torch.Tensor):
        yield tree.untyped_storage()
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from _storages(part)
