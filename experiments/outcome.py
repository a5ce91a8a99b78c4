"""Outcome: what of this command went wrong, said at its end and in its exit code."""

import errno
import shlex
import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

console = Console()
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
VERB = "intpv evaluate" if __package__.startswith("intpv.") else "python -m experiments.evaluate"


@dataclass
class Outcome:
    """Cells by name; one object per process."""

    failed: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # (reason, the cell's overrides)
    incomplete: list[str] = field(default_factory=list)  # cells in which some video could not be read
    stopped: str = ""  # why nothing more was tried
    changed: bool = False  # whether any cell was run at all

    def clear(self) -> None:
        self.__init__()

    @property
    def exit_code(self) -> int:
        """0, or 1 when a cell failed or left a question unanswered."""
        return int(bool(self.failed or self.incomplete or self.stopped))

    def say(self) -> None:
        """One line for each thing, with the command that repeats just that cell."""
        for name, (reason, overrides) in self.failed.items():
            console.print(f"[red]failed[/] {escape(name)}: {escape(reason)}", soft_wrap=True)
            console.print(f"  {VERB} {shlex.join(overrides)}", soft_wrap=True, markup=False, highlight=False)
        for name in self.incomplete:
            console.print(f"[yellow]incomplete[/] {escape(name)}: some videos could not be read, see samples.jsonl")
        if self.stopped:
            console.print(f"[red]stopped[/] {escape(self.stopped)}", soft_wrap=True)
            console.print("What was answered is kept; the same command goes on with the next video.", soft_wrap=True)


def stops_everything(error: BaseException) -> bool:
    """Whether no other cell could be written either: the disk is full, or not to be written to."""
    return isinstance(error, OSError) and error.errno in DISK


def interrupted() -> None:
    """The last words after Ctrl-C."""
    line = "interrupted: what was answered is kept; the same command goes on with the next video"
    print(f"\nevaluate: {line}", file=sys.stderr)


outcome = Outcome()
