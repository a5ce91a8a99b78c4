"""Outcome: what of this command went wrong, said at its end and in its exit code."""

import errno
import shlex
import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from intpv.escape import printable
from intpv.options import config_folders

console = Console()
FULL = (errno.ENOSPC, errno.EDQUOT)
DISK = (*FULL, errno.EROFS, errno.EACCES)
VERB = "intpv evaluate" if __package__.startswith("intpv.") else "python -m experiments.evaluate"


@dataclass
class Outcome:
    """Cells by name; one object per process."""

    failed: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # (reason, the cell's overrides)
    incomplete: list[str] = field(default_factory=list)  # cells in which some question was not answered
    elsewhere: dict[str, str] = field(default_factory=dict)  # cells that another process is at -> a line about it
    unwritten: list[str] = field(default_factory=list)  # what of the sweep's end could not be made, and why
    stopped: str = ""  # why nothing more was tried
    changed: bool = False  # whether any cell was run at all
    said: bool = False

    def clear(self) -> None:
        vars(self).update(vars(Outcome()))

    @property
    def exit_code(self) -> int:
        """0, or 1 when a cell failed, is not done, or left a question unanswered."""
        return int(bool(self.failed or self.incomplete or self.elsewhere or self.unwritten or self.stopped))

    def say(self) -> None:
        """One line for each thing, with the command that repeats just that cell; once."""
        if self.said:
            return
        self.said = True
        try:
            self._say(console)
        except OSError:  # what is printed may go to the disk that is full
            self._say(Console(stderr=True))

    def _say(self, console: Console) -> None:
        for name, (reason, overrides) in self.failed.items():
            console.print(f"[red]failed[/] {escape(name)}: {escape(printable(reason))}", soft_wrap=True)
            own = [f"--config-dir={folder}" for folder in config_folders()[1:]]
            console.print(f"  {VERB} {shlex.join([*own, *overrides])}", soft_wrap=True, markup=False, highlight=False)
        for name in self.incomplete:
            console.print(f"[yellow]incomplete[/] {escape(name)}: some questions were not answered, see samples.jsonl")
        for line in self.elsewhere.values():
            console.print(f"[yellow]elsewhere[/] {escape(printable(line))}", soft_wrap=True)
        for line in self.unwritten:
            line = escape(printable(line))
            console.print(f"[red]not written[/] {line}: the cells' results are safe", soft_wrap=True)
        if self.stopped:
            console.print(f"[red]stopped[/] {escape(printable(self.stopped))}", soft_wrap=True)
            console.print("What was answered is kept; the same command goes on with the next video.", soft_wrap=True)


def is_full(error: OSError) -> bool:
    """Whether the disk, or the user's share of it, is full."""
    return error.errno in FULL


def stops_everything(error: BaseException) -> bool:
    """Whether no other cell could be written either: the disk is full, or not to be written to."""
    return isinstance(error, OSError) and error.errno in DISK


def interrupted() -> None:
    """The last words after Ctrl-C."""
    line = "interrupted: what was answered is kept; the same command goes on with the next video"
    print(f"\nevaluate: {line}", file=sys.stderr)


outcome = Outcome()
