"""Judging: many questions to one judge at once, with bounded retries, back-off and the server's own pauses."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from intpv.scorer.judge.client import Messages, Refused, Reply, Stopped, Transient

FIRST_S = 1.0  # seconds before the first retry; each further one waits twice as long, up to
MOST_S = 60.0
IN_A_ROW = 3  # questions given up, or refused, before any was answered: the judge is not there, or the setting is wrong


@dataclass
class Judged:
    """What became of a set of questions."""

    answered: int = 0
    refused: dict[str, str] = field(default_factory=dict)  # key -> why the judge will not say
    failed: dict[str, str] = field(default_factory=dict)  # key -> the last cause; asked again next time
    troubles: Counter[str] = field(default_factory=Counter)  # cause -> times that it was met, retried or not


@dataclass(frozen=True)
class JudgePatience:
    """How much is borne."""

    retries: int  # of a question, after its first request
    patience_s: float | int  # seconds that a server may ask for with Retry-After
    concurrent: int  # requests at once


def judge_all(
    wanted: Mapping[str, Messages],
    ask: Callable[[Messages], Reply],
    keep: Callable[[str, Reply], None],
    patience: JudgePatience,
    progress: Callable[[Judged], None] = lambda judged: None,
    answered_before: bool = False,
) -> Judged:
    """Ask for all; `keep` gets each reply as it comes. Raises Stopped where none can be had; what came is kept.

    A question that fails on every retry is given up and counted. A refusal is a reply too, once another question is
    answered, or was by an earlier call: else the setting may be what is refused. `progress` is called in the caller's
    thread.
    """
    work = _Work(ask, keep, patience)
    pool = ThreadPoolExecutor(max(1, min(patience.concurrent, len(wanted))))
    try:
        futures = [pool.submit(work.judge, key, messages) for key, messages in wanted.items()]
        for future in as_completed(futures):
            future.result()
            progress(work.judged)
    finally:  # also of Ctrl-C: what is on its way is waited for, and kept
        work.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    if answered_before:
        work.keep_refusals()
    elif work.judged.refused and not work.judged.answered and len(work.judged.refused) == len(wanted):
        raise Stopped(f"the judge refuses every question ({next(iter(work.judged.refused.values()))})")
    return work.judged


class _Work:
    """What the threads share."""

    def __init__(self, ask: Callable, keep: Callable, patience: JudgePatience) -> None:
        self.ask, self.keep, self.patience = ask, keep, patience
        self.judged, self.stop = Judged(), threading.Event()
        self._lock = threading.Lock()
        self._not_before = 0.0  # of the monotonic clock: a server's pause holds for all threads
        self._in_a_row = 0
        self._to_keep: dict[str, Reply] = {}  # refusals that nothing was answered beside yet

    def judge(self, key: str, messages: Messages) -> None:
        if self.stop.is_set():
            return
        try:
            self._judge(key, messages)
        except BaseException:  # the judge answers nobody, or the disk is full: no thread asks any more
            self.stop.set()
            raise

    def _judge(self, key: str, messages: Messages) -> None:
        try:
            reply = self._asked(messages)
            if reply is not None:
                self.keep(key, reply)
                with self._lock:
                    self.judged.answered += 1
                    self._in_a_row = 0
                    self.keep_refusals()
        except Refused as refusal:
            with self._lock:
                self.judged.troubles["refused"] += 1
                self.judged.refused[key] = str(refusal)
                self._to_keep[key] = Reply("", "", None, None, refused=str(refusal))
                if self.judged.answered:
                    self.keep_refusals()
                elif len(self.judged.refused) >= IN_A_ROW:
                    self._give_up(f"the judge refuses every question ({refusal})")
        except Transient as trouble:
            with self._lock:
                self.judged.failed[key] = str(trouble)
                self._in_a_row += 1
                if self._in_a_row >= IN_A_ROW:
                    given_up = f"{self._in_a_row} questions in a row failed {self.patience.retries + 1} times each"
                    self._give_up(f"the judge does not answer: {given_up} ({trouble})")

    def _give_up(self, why: str) -> None:
        """The lock is held: of threads that fail at once only the first one says why."""
        if not self.stop.is_set():
            self.stop.set()
            raise Stopped(why) from None

    def keep_refusals(self) -> None:
        """The lock is held, or no thread is left."""
        while self._to_keep:
            self.keep(*self._to_keep.popitem())

    def _asked(self, messages: Messages) -> Reply | None:
        """None where all is stopped meanwhile."""
        for attempt in range(self.patience.retries + 1):
            if self._pause():
                return None
            try:
                return self.ask(messages)
            except Transient as trouble:
                with self._lock:
                    self.judged.troubles[trouble.cause] += 1
                if attempt == self.patience.retries:
                    raise
                self._wait(trouble, attempt)
        raise AssertionError

    def _wait(self, trouble: Transient, attempt: int) -> None:
        if trouble.wait is not None:
            if trouble.wait > self.patience.patience_s:
                limit = f"scorer.patience_s={self.patience.patience_s:g}"
                raise Stopped(f"the judge asks to wait {trouble.wait:.0f} s, more than {limit} ({trouble})")
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + trouble.wait)
        # also of a server that asks for 0 s; spread, so that threads that failed together do not come back together
        self.stop.wait(min(MOST_S, FIRST_S * 2**attempt) * random.uniform(0.5, 1))

    def _pause(self) -> bool:
        """Wait for the server's pause to end; whether all is stopped meanwhile."""
        while not self.stop.is_set() and (left := self._not_before - time.monotonic()) > 0:
            self.stop.wait(left)
        return self.stop.is_set()
