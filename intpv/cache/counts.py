"""Counts: how often each kind of entry came from where, and the seconds that took."""

from typing import Literal

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
