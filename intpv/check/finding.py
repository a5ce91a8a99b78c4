"""Finding: what one check came to, as a line to print."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from intpv.errors import BadInput

OK, REFUSED, FAIL, SKIPPED = "ok", "refused", "FAIL", "skipped"
LONGEST = 200  # characters of a message


class Wrong(Exception):
    """What a check found wrong, with both values."""


@dataclass(frozen=True)
class Check:
    """A name and what judges: it returns the figure, or raises."""

    name: str
    judge: Callable[[], str]
    may_refuse: bool = False  # BadInput is an option that does not go with this model, and no fault of it
    needed: bool = False  # what comes after it cannot be tried without it

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Finding:
    """`said` is the figure that was found, and the one that was stated."""

    verdict: str  # ok | refused | FAIL | skipped
    name: str
    said: str

    def __str__(self) -> str:
        return f"{self.verdict:7} {self.name:29} {self.said}"


def found(check: Check) -> Finding:
    """Run it. Whatever else than `Wrong` a broken model raises is a finding too."""
    try:
        return Finding(OK, check.name, check.judge())
    except Wrong as wrong:
        return Finding(FAIL, check.name, str(wrong))
    except BadInput as error:
        return Finding(REFUSED if check.may_refuse else FAIL, check.name, str(error))
    except Exception as error:
        return Finding(FAIL, check.name, unexpected(error))


def findings(todo: Sequence[Check]) -> Iterator[Finding]:
    """A finding per check, as it is made; none after a FAIL of one that the later ones need."""
    for one in todo:
        with torch.inference_mode():
            finding = found(one)
        yield finding
        if finding.verdict == FAIL and one.needed:
            left = len(todo) - todo.index(one) - 1
            yield Finding(SKIPPED, f"{left} checks", f"they need {one.name}")
            return


def unexpected(error: BaseException) -> str:
    """Type, message, and where in code that is not installed: most likely the adapter's own."""
    said = " ".join(str(error).split())[:LONGEST] or "no message"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "site-packages" not in one.filename]
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {said}{where}"


def equal(what: str, got: object, stated: object, by: str = "stated") -> None:
    """Raises Wrong with both values unless they are equal."""
    if got != stated:
        raise Wrong(f"{what} {got}, {by} {stated}")


def all_finite(what: str, numbers: torch.Tensor) -> None:
    """Raises Wrong with how many are not."""
    if not numbers.isfinite().all():
        raise Wrong(f"{int((~numbers.isfinite()).sum())} {what} are not finite")
