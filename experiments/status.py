"""Tell how a sweep stands, while it runs or afterwards: python -m experiments.status runs/mine

Reads the run folders alone, from any terminal or machine that sees them, and disturbs nobody: cells done, running and
where, failed and why, and about how long the rest takes. A cell that was begun and that nobody is at is `interrupted`:
the sweep's own command goes on with it. `--json` prints the same for programs, `--all` every cell by name.

What status.json says is believed: whether a done cell's other files are whole, the sweep's next run looks at.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, mode
from typing import Any

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.record.lock import holder, last_holder
from intpv.record.run_folder import RunFolder

from .run.command import command_line, read_command_line
from .run.messages import explained

KINDS = ("done", "running", "waiting", "interrupted", "failed", "oom", "damaged", "newer")  # as they are counted
LISTED = ("running", "interrupted", "failed", "oom", "damaged", "newer")  # with their names
LEFT = ("running", "waiting", "interrupted", "damaged")  # what the sweep's command would run
SHOWN = 20  # names of a kind, without --all
FRAMES = re.compile(rb"^frames: (\d+)$", re.MULTILINE)
SINCE = re.compile(r" since (\S+)$")


@dataclass(frozen=True)
class CellStatus:
    """One cell at the moment it was looked at."""

    name: str
    kind: str  # one of KINDS
    frames: int | None  # F; None where .hydra/ does not tell
    reason: str = ""  # why it failed, or what of it is damaged
    where: str = ""  # of a running one: the process, its machine and since when
    answered: int = 0  # questions
    seconds: float | None = None  # that a done one took, or a running one has taken so far


def main() -> None:
    parser = command_line("status", "How a sweep stands, while it runs or afterwards.")
    parser.add_argument("sweep", type=Path, help="its folder, as runs/mine")
    parser.add_argument("--all", action="store_true", help=f"all names, not {SHOWN} of a kind at most")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    with explained("status"):
        arguments = read_command_line(parser, None)
        cells = read_cells(arguments.sweep)
    if arguments.json:
        print(json.dumps(totals(cells), indent=1))
    else:
        print(*as_lines(arguments.sweep, cells, None if arguments.all else SHOWN), sep="\n")


def read_cells(sweep: Path, now: datetime | None = None) -> list[CellStatus]:
    """All cells by name; those that wait have .hydra/ alone. BadInput for a folder without any."""
    if not sweep.is_dir():
        raise BadInput(f"{sweep} is no folder: give a sweep's, as runs/<sweep>")
    there = sorted(folder for folder in sweep.iterdir() if folder.is_dir())
    found = [_look(cell, now or datetime.now(UTC)) for cell in there if _is_cell(cell)]
    if not found:
        raise BadInput(f"{sweep} holds no cells: a cell is a folder with .hydra/config.yaml or status.json in it")
    return found


def _is_cell(folder: Path) -> bool:
    return (folder / "status.json").exists() or (folder / ".hydra" / "config.yaml").exists()


def _look(cell: Path, now: datetime) -> CellStatus:
    state = RunFolder(cell).state(whole=False)
    kind, frames, since = state.status or "waiting", _frames(cell), _since(last_holder(cell))
    if kind == "done":
        return CellStatus(cell.name, kind, frames, "", "", state.questions, _between(since, _moment(state.time)))
    if where := holder(cell):  # it is loading a model, or on its way, whatever an earlier attempt has left
        return CellStatus(cell.name, "running", frames, "", where, _answered(cell), _between(since, now))
    if kind == "running" and sys.platform != "linux":  # where nobody tells who holds a lock
        return CellStatus(cell.name, kind, frames, "", f"{last_holder(cell)}, unless it was interrupted")
    kind = "interrupted" if kind == "running" else kind
    return CellStatus(cell.name, kind, frames, state.reason, "", _answered(cell) if kind == "interrupted" else 0)


def _frames(cell: Path) -> int | None:
    """From the text: the YAML of thousands of cells would take a minute to read."""
    try:
        found = FRAMES.search((cell / ".hydra" / "config.yaml").read_bytes())
    except OSError:
        return None
    return int(found[1]) if found else None


def _answered(cell: Path) -> int:
    try:
        return (cell / "samples.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def _since(note: str) -> datetime | None:
    found = SINCE.search(note)
    return _moment(found[1]) if found else None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _between(start: datetime | None, end: datetime | None) -> float | None:
    """None also where machines' clocks, or a hand, have put the end first."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def seconds_left(cells: Iterable[CellStatus]) -> float | None:
    """Until all is done, at as many cells at once as now; None where none runs or none of the done ones tells.

    Every cell that is left takes the mean of the done ones with as many frames, else of those with the nearest number
    in proportion; of a running one what it has taken is over.
    """
    known: dict[int, list[float]] = {}
    cells = list(cells)
    for cell in cells:
        if cell.kind == "done" and cell.seconds is not None and cell.frames:
            known.setdefault(cell.frames, []).append(cell.seconds)
    at_once = sum(cell.kind == "running" for cell in cells)
    if not known or not at_once:
        return None

    def expected(cell: CellStatus) -> float:
        frames = cell.frames or min(known)
        nearest = min(known, key=lambda count: abs(count - frames))
        return mean(known[nearest]) * frames / nearest

    work = [max(0.0, expected(cell) - (cell.seconds or 0)) for cell in cells if cell.kind in LEFT]
    return max(sum(work) / at_once, max(work, default=0.0))


def counts_of(cells: Sequence[CellStatus]) -> dict[str, int]:
    """Kind -> cells, of those kinds that there are."""
    found = {kind: sum(cell.kind == kind for cell in cells) for kind in KINDS}
    return {kind: count for kind, count in found.items() if count}


def totals(cells: Sequence[CellStatus]) -> dict[str, Any]:
    """Counts, seconds left, and the cells that are neither done nor waiting."""
    listed = [asdict(cell) for cell in cells if cell.kind in LISTED]
    return {"cells": len(cells), **counts_of(cells), "seconds_left": seconds_left(cells), "listed": listed}


def as_lines(sweep: Path, cells: Sequence[CellStatus], most: int | None) -> list[str]:
    """The sum, then a line per cell that somebody may want to look at, `most` of a kind."""
    counted = counts_of(cells)
    parts = [f"{counted.get('done', 0)} of {len(cells)} cells done"]
    parts += [f"{count} {kind}" for kind, count in counted.items() if kind != "done"]
    left = seconds_left(cells)
    if left is not None:
        parts.append(f"about {timedelta(seconds=round(left))} left at {counted['running']} at once")
    lines = [f"{printable(str(sweep))}: {', '.join(parts)}"]
    whole = [cell.answered for cell in cells if cell.kind == "done" and cell.answered]
    for kind in LISTED:
        listed = [cell for cell in cells if cell.kind == kind]
        lines += [f"{kind:11} {_line(cell, mode(whole) if whole else None)}" for cell in listed[:most]]
        if most is not None and len(listed) > most:
            lines.append(f"{kind:11} and {len(listed) - most} more: --all lists them")
    return lines


def _line(cell: CellStatus, questions: int | None) -> str:
    name = printable(cell.name)
    if cell.kind not in ("running", "interrupted"):
        return f"{name}: {printable(cell.reason)}"
    of_all = f" of {questions}" if questions else ""
    where = f", {printable(cell.where)}" if cell.where else ""
    return f"{name}: {cell.answered}{of_all} questions{where}"


if __name__ == "__main__":
    main()
