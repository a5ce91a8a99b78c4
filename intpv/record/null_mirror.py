"""NullMirror: no mirror, the run folder alone."""

from collections.abc import Mapping


class NullMirror:
    """The mirror's interface, doing nothing."""

    def start(self, sweep: str, cell: str, cell_hash: str, config: dict) -> None:
        """A cell begins."""

    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """A cell has ended."""
