"""Finding: what one check came to, as a line to print."""

from collections.abc import Callable
from dataclasses import dataclass

from intpv.errors import BadInput

OK, REFUSED, FAIL, SKIPPED = "ok", "refused", "FAIL", "skipped"


class Wrong(Exception):
    """What a check found wrong, with both values."""


@dataclass(frozen=True)
class Check:
    """A name and what judges: it returns the figure, or raises."""

    name: str
    judge: Callable[[], str]
    may_refuse: bool = False  # BadInput is an option that does not go with this model, and no fault of it
    needed: bool = False  # what comes after it cannot be tried without it


@dataclass(frozen=True)
class Finding:
    """`said` is the figure that was found, and the one that was stated."""

    verdict: str  # ok | refused | FAIL | skipped
    name: str
    said: str

    def __str__(self) -> str:
        return f"{self.verdict:8}{self.name:30}{self.said}"


def found(check: Check) -> Finding:
    """Run it. Whatever else than `Wrong` a broken model raises is a finding too, by its type and first line."""
    try:
        return Finding(OK, check.name, check.judge())
    except Wrong as wrong:
        return Finding(FAIL, check.name, str(wrong))
    except BadInput as error:
        return Finding(REFUSED if check.may_refuse else FAIL, check.name, str(error))
    except Exception as error:
        first = (str(error).strip() or "no message").splitlines()[0]
        return Finding(FAIL, check.name, f"{type(error).__name__}: {first}")


def equal(what: str, got: object, stated: object, by: str = "stated") -> None:
    """Raises Wrong with both values unless they are equal."""
    if got != stated:
        raise Wrong(f"{what} {got}, {by} {stated}")
