"""MemoryCache: the entries used last, within one process."""

from collections import OrderedDict

from torch import Tensor

from intpv.cache.storage import held_bytes


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
