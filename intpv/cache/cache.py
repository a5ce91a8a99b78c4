"""Cache: look in memory, then on disk, then compute. One per process, for all of its cells."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

from torch import Tensor

from intpv.bounds import check_place
from intpv.cache.disk import DiskCache, exists
from intpv.cache.entry import owned
from intpv.cache.memory import GB, Counts, FirstCome, MemoryCache
from intpv.errors import BadInput


@dataclass(frozen=True)
class Cache:
    """Entries of named tensors under keys of intpv.cache.hashing; threads may fetch at once, processes share `dir`."""

    dir: str | os.PathLike
    max_gb: int | float = 20  # GB on disk, of all processes together
    memory_gb: int | float = 2  # GB in this process
    prefix_gb: int | float | Literal["auto"] = "auto"  # GB of prefixes in this process, on whichever device they are
    prefixes: FirstCome = field(init=False, repr=False, compare=False)
    _memory: MemoryCache = field(init=False, repr=False, compare=False)
    _disk: DiskCache = field(init=False, repr=False, compare=False)
    _counts: Counts = field(default_factory=Counts, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.dir or not isinstance(self.dir, str | os.PathLike):
            raise BadInput(f"cache.dir must name a folder, got {self.dir!r}; cache=off does without")
        check_place("cache.dir", self.dir)
        for name in ("max_gb", "memory_gb", "prefix_gb"):
            value = getattr(self, name)
            if name == "prefix_gb" and value == "auto":
                continue
            if type(value) not in (int, float) or not value >= 0:
                least = "auto or at least 0" if name == "prefix_gb" else "at least 0"
                raise BadInput(f"cache.{name} must be {least}, got {value}")
        # absolute, for the working folder may change
        object.__setattr__(self, "dir", os.path.abspath(os.path.expanduser(self.dir)))
        object.__setattr__(self, "prefixes", FirstCome(None if self.prefix_gb == "auto" else self.prefix_gb * GB))
        object.__setattr__(self, "_memory", MemoryCache(self.memory_gb * GB))
        object.__setattr__(self, "_disk", DiskCache(self.dir, self.max_gb * GB))

    def __reduce__(self) -> tuple:
        # a child process has the folder in common with this one, and nothing else
        return type(self), (self.dir, self.max_gb, self.memory_gb, self.prefix_gb)

    def walk(self, tower_key: str) -> None:
        """The cells of one tower walk through the same entries, which stay meanwhile; for another's they may go."""
        self._disk.walk(tower_key)

    def contains(self, kind: str, key: str) -> bool:
        """Whether there is an entry in memory or a file for one, without reading it."""
        return key in self._memory or exists(self.dir, kind, key)

    def fetch(
        self, kind: str, key: str, compute: Callable[[], Mapping[str, Tensor]], about: Mapping[str, str] | None = None
    ) -> dict[str, Tensor]:
        """The entry's tensors on the CPU, contiguous, bit for bit the same wherever they come from.

        The caller must not change them: the next one gets the same tensors. `about` is noted in the file. What
        `compute` raises is passed on, and nothing is stored.
        """
        with self._lock:
            tensors = self._memory.get(key)
            if tensors is not None:
                self._counts.add(kind, "memory")
                return tensors
        start = time.perf_counter()
        source: Literal["disk", "computed"] = "disk"
        tensors = self._disk.get(kind, key)
        if tensors is None:
            start, source = time.perf_counter(), "computed"
            tensors = owned(compute())
        seconds = time.perf_counter() - start
        if source == "computed":
            self._disk.put(kind, key, tensors, about or {})
        with self._lock:
            self._counts.add(kind, source, seconds)
            self._memory.put(key, tensors)
        return tensors

    def counts(self) -> dict[str, dict[str, int | float]]:
        """{kind: {memory, disk, computed: entries; read_s, compute_s: seconds}} since this object was made."""
        with self._lock:
            return self._counts.plain()
