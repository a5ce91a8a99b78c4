"""Mirror: shows cells and sweeps in another tool; it never replaces the run folder and never stops a cell."""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from intpv.escape import printable

# Curve: accuracy against frames, a line per label, as every mirror can take it.


@dataclass(frozen=True)
class Curve:
    """One chart."""

    key: str  # its name in a logger: letters, digits and _
    title: str
    lines: Mapping[str, Mapping[int, float]]  # label -> F -> accuracy, 0 to 1


def safe(text: str) -> str:
    """Only letters, digits and _: `yarn factor=2.5` -> `yarn_factor_2_5`. W&B would nest at a dot."""
    return re.sub(r"\W+", "_", text)


def series(curves: Sequence[Curve]) -> dict[int, dict[str, float]]:
    """F, rising -> `<curve>/<label>` -> accuracy: the points of all lines, to be logged with F as the step."""
    points: dict[int, dict[str, float]] = {}
    for curve in curves:
        for label, line in curve.lines.items():
            for frames, value in line.items():
                points.setdefault(frames, {})[f"{curve.key}/{safe(label)}"] = value
    return dict(sorted(points.items()))


# Figure: a picture of a cell and the numbers it shows, as every mirror can take them.


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


log = logging.getLogger(__name__)


class Mirror(ABC):
    """Per cell `start`, `video` after each video, at its end `results`, `figures` if it is done, `finish`; per sweep
    `summary`.

    Failures become one warning each. Only a mistake of the caller or the user stops a cell, at its start: TypeError for
    a config that is not plain, BadInput for a package that is not installed.
    """

    strips: int = 0  # the first videos of a cell whose frames are wanted by `video`
    must_arrive: bool = False  # failures are raised, and what an earlier attempt left is replaced: the sync verb

    @abstractmethod
    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """A cell begins, or begins again: what an earlier attempt left is superseded.

        `config` is plain and complete; `choices` maps the groups that say what is measured to their options.
        """

    def video(self, records: Sequence[Mapping], strip: UInt8[np.ndarray, "h w C"] | None) -> None:  # noqa: B027
        """A video's questions are answered; `strip` shows its frames, None where they are not at hand."""

    def results(self, folder: Path) -> None:  # noqa: B027
        """The cell has ended, and what results it has are in its run folder."""

    def figures(self, figures: Sequence[Figure]) -> None:  # noqa: B027
        """The cell's results are in its folder, and these are the pictures of them."""

    @abstractmethod
    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """The cell has ended; of a failed one there may be no metrics."""

    @abstractmethod
    def summary(self, sweep: str, rows: Sequence[Mapping], curves: Sequence[Curve]) -> None:
        """A sweep has ended, or ended again: a row per cell (column -> text, number or None) and its curves."""


@contextmanager
def only_warn(mirror: Mirror, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """The results are safe in their folder: whatever goes wrong, `but` some errors, is one line of the log."""
    try:
        yield
    except but:
        raise
    except Exception as error:
        if mirror.must_arrive:
            raise
        reason = printable(next(iter(str(error).splitlines()), ""))
        log.warning("%s: %s: %s", type(mirror).__name__, type(error).__name__, reason)


# NullMirror: no mirror, the run folder alone.


class NullMirror(Mirror):
    """The mirror's interface, doing nothing."""

    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """Nothing."""

    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """Nothing."""

    def summary(self, sweep: str, rows: Sequence[Mapping], curves: Sequence[Curve]) -> None:
        """Nothing."""
