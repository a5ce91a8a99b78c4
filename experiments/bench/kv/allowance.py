"""Allowance: the time that a peer may take in all, and what becomes of a method that takes longer or cannot run."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from intpv.errors import BadInput

PEER_SECONDS = 180.0
AGAIN_S = 1e-3  # until an alarm that came too early rings again


class OutOfTime(Exception):
    """A peer has used up its allowance."""


class Allowances:
    """Wall seconds per peer, spent piece by piece; `skipped` says of whoever is out why."""

    def __init__(self, seconds: float = PEER_SECONDS):
        self.seconds = seconds
        self.spent: dict[str, float] = {}
        self.skipped: dict[str, str] = {}

    @contextmanager
    def spending(self, name: str, is_peer: bool) -> Iterator[None]:
        """What a peer raises inside, or being stopped where it stands, puts it out and is raised no further.

        Of ours only BadInput does: a path that this machine has not got. Anything else is a fault of this project.
        """
        start = time.perf_counter()
        try:
            with _alarm(self._left(name), self._line) if is_peer else _unlimited():
                yield
        except Exception as error:
            if not is_peer and not isinstance(error, BadInput):
                raise
            self.skipped[name] = f"{type(error).__name__}: {_first_line(error)}"
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - start

    def _left(self, name: str) -> float:
        return max(1e-3, self.seconds - self.spent.get(name, 0.0))  # an alarm in 0 s would be none

    @property
    def _line(self) -> str:
        return f"took more than the {self.seconds:g} s that a peer has in all"


@contextmanager
def _alarm(seconds: float, line: str) -> Iterator[None]:
    """Raises OutOfTime inside after so many seconds; where there is no alarm clock (Windows, threads), at the end."""

    def stop(*_) -> None:
        raise OutOfTime(line)

    def ring(_, frame: FrameType | None) -> None:
        """Not on the way in or out, where nobody could catch it as the peer's: then it rings again."""
        if frame is None or frame.f_code.co_filename not in (__file__, contextlib.__file__):
            signal.setitimer(signal.ITIMER_REAL, 0)
            stop()

    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        start = time.perf_counter()
        yield
        if time.perf_counter() - start > seconds:
            stop()
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _unlimited() -> Iterator[None]:
    yield


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
