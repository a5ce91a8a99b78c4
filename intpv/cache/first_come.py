"""FirstCome: what comes first stays. For prefixes, which every cell walks through in the same order of videos.

With more prefixes than room, evicting the least recently used would evict each one just before it is needed again.
"""

from typing import Generic, TypeVar

from intpv.cache.storage import held_bytes

T = TypeVar("T")


class FirstCome(Generic[T]):
    """At most `max_bytes` of tensors, in nested lists, tuples, mappings and dataclasses; nothing is ever evicted."""

    def __init__(self, max_bytes: int | float) -> None:
        self.max_bytes = max_bytes
        self.held = 0  # bytes
        self._entries: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        """What was put in, not a copy: the caller must not change it."""
        return self._entries.get(key)

    def put(self, key: str, content: T) -> bool:
        """Whether it is kept now: there was room, or the key was there before."""
        if key in self._entries:
            return True
        size = held_bytes(content)
        if self.held + size > self.max_bytes:
            return False
        self._entries[key] = content
        self.held += size
        return True

    def clear(self) -> None:
        """Room for everything again."""
        self._entries.clear()
        self.held = 0
