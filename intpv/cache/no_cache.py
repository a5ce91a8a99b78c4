"""NoCache: the cache's interface, everything computed every time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from intpv.cache.entry import owned
from intpv.cache.memory import Counts, FirstCome


@dataclass(frozen=True)
class NoCache:
    """Keeps nothing, counts all the same."""

    prefixes: FirstCome = field(default_factory=lambda: FirstCome(0), init=False, repr=False, compare=False)
    _counts: Counts = field(default_factory=Counts, init=False, repr=False, compare=False)

    def walk(self, tower_key: str) -> None:
        """Nothing could go."""

    def contains(self, kind: str, key: str) -> bool:
        """Never."""
        return False

    def fetch(
        self, kind: str, key: str, compute: Callable[[], Mapping[str, Tensor]], about: Mapping[str, str] | None = None
    ) -> dict[str, Tensor]:
        """What `compute` gives, in the same memory layout as a cache would give it: results must not depend on it."""
        start = time.perf_counter()
        tensors = owned(compute())
        self._counts.add(kind, "computed", time.perf_counter() - start)
        return tensors

    def counts(self) -> dict[str, dict[str, int | float]]:
        """As Cache.counts."""
        return self._counts.plain()
