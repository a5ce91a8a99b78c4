"""MemoryCache: the entries used last, within one process."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor

from intpv.cache.entry import devices_of_tensors, held_bytes


class MemoryCache:
    """At most `max_bytes` of tensors; the least recently used entry goes first. Not for several threads at once."""

    def __init__(self, max_bytes: int | float) -> None:
        self.max_bytes = max_bytes
        self.held = 0  # bytes
        self._entries: OrderedDict[str, tuple[dict[str, Tensor], int]] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The tensors that were put in, not copies: the caller must not change them."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: str, tensors: dict[str, Tensor]) -> None:
        """Keep the tensors, unless they alone exceed the limit. Entries that share a storage each count all of it."""
        size = held_bytes(tensors)
        if size > self.max_bytes:
            return
        if key in self._entries:
            self.held -= self._entries.pop(key)[1]
        while self.held + size > self.max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.held -= freed
        self._entries[key] = (tensors, size)
        self.held += size


# FirstCome: what comes first stays. For prefixes, which every cell walks through in the same order of videos.
#
# With more prefixes than room, evicting the least recently used would evict each one just before it is needed again.
# Where others are asked behind a prefix while it is at hand, the last place is for that one, and handed on.


T = TypeVar("T")
GB = 10**9  # bytes
SHARE = 0.4  # of a GPU's free memory: the rest is for the next prefill and its questions
ON_CPU = 4 * GB
log = logging.getLogger(__name__)


class FirstCome(Generic[T]):
    """At most `max_bytes` of tensors, in nested lists, tuples, mappings and dataclasses; nothing is ever evicted.

    None is SHARE of what is free on the devices when first asked for, ON_CPU on a CPU.
    """

    def __init__(self, max_bytes: int | float | None) -> None:
        self.max_bytes = max_bytes
        self.held = 0  # bytes
        self._entries: dict[str, T] = {}
        self._room = max_bytes  # None: nobody has asked yet
        self._said = False
        self._passing = False
        self._at_hand: tuple[str, T] | None = None  # in the last place

    def has_room(self, size: int, devices: Sequence[torch.device]) -> bool:
        """Whether content of `size` bytes on `devices` would be kept; the first time that it would not is logged."""
        if self._room is None:
            self._room = _share(devices)
            log.info("cache.prefix_gb=auto: cells share prefixes of up to %.3g GB", self._room / GB)
        if self.held + size <= self._room:
            return True
        if self._room and not self._said:
            self._said = True
            kept, few = len(self._entries), logging.INFO if self._entries else logging.WARNING
            limit = "cache.prefix_gb, here" if self.max_bytes is None else "cache.prefix_gb ="
            line = "cells share the prefixes of %d videos, and not another of %.3g GB: %s %.3g GB"
            log.log(few, line, kept, size / GB, limit, self._room / GB)
        return False

    def pass_on(self, passing: bool) -> None:
        """Whether the last place is for what is at hand from now on; what is in it goes."""
        self._passing, self._at_hand = passing, None

    def is_passing(self, key: str) -> bool:
        """Whether it is in the last place, from which `pass_on` or the next one takes it."""
        return self._at_hand is not None and self._at_hand[0] == key

    def get(self, key: str) -> T | None:
        """What was put in, not a copy: the caller must not change it."""
        return self._at_hand[1] if self._at_hand and self._at_hand[0] == key else self._entries.get(key)

    def put(self, key: str, content: T) -> bool:
        """Whether it is kept now: there was room, or the key was there before."""
        if key in self._entries:
            return True
        size, devices = held_bytes(content), devices_of_tensors(content)
        if not self.has_room(size, devices):
            return False
        if self._passing and self._room is not None and self.held + 2 * size > self._room:
            self._at_hand = key, content
            return True
        self._entries[key] = content
        self.held += size
        return True

    def clear(self) -> None:
        """Room for everything again."""
        self._entries.clear()
        self.held, self._room, self._said = 0, self.max_bytes, False
        self.pass_on(False)


def _share(devices: Sequence[torch.device]) -> int | float:
    """Over several GPUs as many times the share of the fullest one."""
    if any(device.type != "cuda" for device in devices):
        return ON_CPU
    # what torch's allocator holds and nobody uses is free too
    unused = (torch.cuda.memory_reserved(one) - torch.cuda.memory_allocated(one) for one in devices)
    free = (torch.cuda.mem_get_info(one)[0] for one in devices)
    return SHARE * len(devices) * min(map(sum, zip(free, unused, strict=True)))


# Counts: how often each kind of entry came from where, and the seconds that took.


SECONDS = {"disk": "read_s", "computed": "compute_s"}


class Counts:
    """Starts at nothing; a kind appears with its first entry."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, int | float]] = {}

    def add(self, kind: str, source: Literal["memory", "disk", "computed"], seconds: float = 0.0) -> None:
        """One more entry of this kind."""
        fresh = {"memory": 0, "disk": 0, "computed": 0, "read_s": 0.0, "compute_s": 0.0}
        counts = self._kinds.setdefault(kind, fresh)
        counts[source] += 1
        if source in SECONDS:
            counts[SECONDS[source]] += seconds

    def plain(self) -> dict[str, dict[str, int | float]]:
        """A copy: {kind: {memory, disk, computed: entries; read_s, compute_s: seconds}}."""
        return {kind: dict(counts) for kind, counts in self._kinds.items()}
