"""NullMirror: no mirror, the run folder alone."""

from collections.abc import Mapping, Sequence

from intpv.record.curve import Curve
from intpv.record.mirror import Mirror


class NullMirror(Mirror):
    """The mirror's interface, doing nothing."""

    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """Nothing."""

    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """Nothing."""

    def summary(self, sweep: str, rows: Sequence[Mapping], curves: Sequence[Curve]) -> None:
        """Nothing."""
