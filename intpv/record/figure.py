"""Figure: a picture of a cell and the numbers it shows, as every mirror can take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Value = str | float | int | None


@dataclass(frozen=True)
class Figure:
    """The picture is a file in the run folder, which holds everything the rows hold."""

    key: str  # its name in a logger: letters, digits and _
    path: Path  # PNG
    rows: Sequence[Mapping[str, Value]]  # all with the same columns

    def columns(self) -> list[str]:
        """Names, in the order of the first row."""
        return list(self.rows[0]) if self.rows else []

    def values(self) -> list[list[Value]]:
        """The rows without their names."""
        return [[row[name] for name in self.columns()] for row in self.rows]
