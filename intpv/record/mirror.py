"""Mirror: shows cells and sweeps in another tool; it never replaces the run folder and never stops a cell."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8

from intpv.record.curve import Curve
from intpv.record.figure import Figure

log = logging.getLogger(__name__)


class Mirror(ABC):
    """Per cell `start`, `video` after each video, `figures` once it is done, `finish`; per sweep `summary`.

    Failures become one warning each. Only a mistake of the caller or the user stops a cell, at its start: TypeError for
    a config that is not plain, BadInput for a package that is not installed.
    """

    strips: int = 0  # the first videos of a cell whose frames are wanted by `video`

    @abstractmethod
    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """A cell begins, or begins again: what an earlier attempt left is superseded.

        `config` is plain and complete; `choices` maps the groups that say what is measured to their options.
        """

    def video(self, records: Sequence[Mapping], strip: UInt8[np.ndarray, "h w C"] | None) -> None:  # noqa: B027
        """A video's questions are answered; `strip` shows its frames, None where they are not at hand."""

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
        reason = next(iter(str(error).splitlines()), "")
        log.warning("%s: %s: %s", type(mirror).__name__, type(error).__name__, reason)
