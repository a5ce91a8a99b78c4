"""Display: how a sweep is getting on - live on a terminal, a line per cell elsewhere."""

import time

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from intpv.escape import printable

from ..run.outcome import console


class Display:
    """A bar over cells with rate, cache hits and time left, and one per worker over the videos of its cell."""

    def __init__(self, cells: int, done: int):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self._sweep = self._bars.add_task("cells", total=cells, completed=done)
        self._workers: dict[int, TaskID] = {}
        self._cells, self._done, self._failed = cells, done, 0
        self._started: float | None = None  # of the first cell: importing and loading are no measure of what follows
        self._questions = self._videos = self._fetched = self._per_cell = 0
        self._warned: set[str] = set()

    def __enter__(self) -> "Display":
        self._bars.start()
        return self

    def __exit__(self, *error) -> None:
        self._bars.stop()

    def event(self, worker: int, event: dict) -> None:
        """Take in one event of a worker; those about a cell name it."""
        kind = event["event"]
        if kind == "started":
            self._started = self._started or time.monotonic()
            self._per_cell = event["videos"]
            self._bar(worker, event)
        elif kind == "video":
            self._videos += 1
            self._fetched += event["fetched"]
            self._questions += event["questions"]
            self._bars.advance(self._workers[worker])
            self._bars.update(self._sweep, description=f"cells  {self.status()}")
        elif kind == "warning" and event["line"] not in self._warned:  # eighty cells have the same to say
            self._warned.add(event["line"])
            console.print(f"[yellow]warning[/] {escape(printable(event['line']))}", soft_wrap=True, highlight=False)
        elif kind == "silent":
            line = f"{event['cell'] or 'a worker at its start'}: nothing said for {event['seconds']:.0f} s"
            limit = event["limit"]
            how = f"it is ended after {limit:g} s" if limit else "sweep.timeout_s=... would end it"
            console.print(f"[yellow]silent[/] {escape(line)}; {how}", soft_wrap=True, highlight=False)
        elif kind in ("done", "failed", "crash", "disk", "lost"):
            self._end(event)

    def status(self) -> str:
        """Failures, questions per second, share of videos that came from the cache, and the time left."""
        parts = [f"{self._failed} failed"] if self._failed else []
        elapsed = time.monotonic() - self._started if self._started else 0
        if elapsed and self._questions:
            parts.append(f"{self._questions / elapsed:.0f} questions/s")
            parts.append(f"{self._fetched / self._videos:.0%} of views from the cache")
            left = (self._cells - self._done - self._failed) * self._per_cell
            minutes, seconds = divmod(int(left * elapsed / self._videos), 60)
            parts += [f"about {minutes}:{seconds:02} left"] if left else []
        return ", ".join(parts)

    def _bar(self, worker: int, event: dict) -> None:
        if worker not in self._workers:
            self._workers[worker] = self._bars.add_task("", total=None)
        bar = self._workers[worker]
        self._bars.reset(bar, total=event["videos"], completed=event["done"], description=f"  {event['cell']}")

    def _end(self, event: dict) -> None:
        done = event["event"] == "done"
        self._done += done
        self._failed += not done
        self._bars.update(self._sweep, completed=self._done + self._failed)
        if not console.is_terminal:
            result = f"accuracy {event['accuracy']:.3f}" if done else event["event"]
            line = f"[{self._done + self._failed}/{self._cells}] {event['cell']}: {result}, {self.status()}"
            console.print(line.rstrip(", "), markup=False, highlight=False, soft_wrap=True)
