"""Compare two cells, two sweeps, or predictions of other harnesses, paired on the same questions.

    python -m analysis.compare runs/mine/CELL runs/mine/OTHER
    python -m analysis.compare runs/mine runs/other --across version
    python -m analysis.compare runs/mine/CELL lmms_eval:logs/samples.jsonl

Of two sweeps cells are matched that have the same strategy, order, frames and KV policy, seed by seed; of two cells
there is a row for each regime and kind of question too. Other test sets, models or versions are refused, with both
values, unless `--across` says that this difference is what is asked for.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from intpv.errors import BadInput
from intpv.escape import markdown_table, printable
from intpv.exchange.imported import FORMATS, read_file
from intpv.metrics.cell import LABEL
from intpv.metrics.sample import groups
from intpv.metrics.significance import holm
from intpv.record.samples import Sample

from .comparison import PairedComparison, compare_answers, p_text
from .consistency import CONCERNS, refuse_mixed
from .pairs import difference_text, paired_lines, partners
from .runs import Cell, read_cell, read_sweep, say
from .seeds import over_seeds
from .units import percent
from .verdict import MARGIN

Lines = Sequence[Sample]
HEADER = (
    *("", "videos", "questions", "A %", "B %", "A − B", "A alone", "B alone"),
    *("p by question", "p by video", "p of all", "detectable", "A is"),
)
LEGEND = (
    "A − B: accuracy in points [95 % interval, bootstrap over videos; –: none, as no answer differs or there is one "
    "video; *: of fewer than 10 videos]. A alone, B alone: questions that only one of them has right. p by question: "
    "McNemar's exact test, too small where a video's answers change together; p by video: whole videos' signs flipped; "
    "p of all: the latter, adjusted for all rows together (Holm). detectable: the difference in points that would be "
    "told from 0 in 4 of 5 samples. higher, lower: told from 0 by p of all and by the interval; equivalent: the 90 % "
    "interval, two one-sided tests at 5 %, lies within {margin:g} points on both sides."
)


@dataclass(frozen=True)
class ComparisonSide:
    """One side: finished cells, or the lines of another harness's file."""

    name: str
    cells: Sequence[Cell] = ()  # one per point of a comparison: runs of several seeds are one
    lines: Lines = ()


def read_side(given: str) -> ComparisonSide:
    """Of a cell's folder, a sweep's, or FORMAT:FILE. BadInput where nothing in it is finished."""
    format, found, file = given.partition(":")
    if found and format in FORMATS:
        imported = read_file(format, Path(file))
        if not imported.scored:
            raise BadInput(
                f"{file} holds no verdicts: a folder with some comes of python -m experiments.score {file} --from "
                f"{format} scorer=..."
            )
        return ComparisonSide(f"{given} ({imported.model}, {imported.task})", lines=imported.samples)
    folder = Path(given)
    cells = [read_cell(folder)] if (folder / ".hydra").exists() else read_sweep(folder)
    done = [cell for cell in cells if cell.status == "done"]
    if not done:
        raise BadInput(f"{given} has no finished cell, got {', '.join(sorted({cell.status for cell in cells}))}")
    left = f", {len(cells) - len(done)} unfinished ones left out" if len(done) < len(cells) else ""
    return ComparisonSide(f"{given} ({done[0].model}, {done[0].data}, {len(done)} cell(s){left})", over_seeds(done))


def compare_sides(
    first: ComparisonSide, second: ComparisonSide, margin: float = MARGIN, across: Sequence[str] = ()
) -> str:
    """Markdown. BadInput for sides that have nothing in common, or more that differs than is asked for."""
    refuse_mixed([*first.cells, *second.cells], across)
    rows = [(name, compare_answers(*lines)) for name, *lines in _matched(first, second)]
    adjusted = holm([found.by_video for _, found in rows])
    table = [_row(name, found, p, margin) for (name, found), p in zip(rows, adjusted, strict=True)]
    sides = f"- A: {printable(first.name)}\n- B: {printable(second.name)}\n"
    return f"{sides}\n{markdown_table(HEADER, table)}\n{LEGEND.format(margin=100 * margin)}"


def _matched(first: ComparisonSide, second: ComparisonSide) -> Iterator[tuple[str, Lines, Lines]]:
    """What is compared: its name, and the lines of both sides."""
    if len(first.cells) <= 1 and len(second.cells) <= 1:
        yield from _by_kind(*_of_two(first, second))
        return
    theirs = {_place(cell): cell for cell in second.cells}
    common = [(cell, theirs[_place(cell)]) for cell in first.cells if _place(cell) in theirs]
    if not common:
        names = (f"{side.cells[0].name if side.cells else side.name} of {len(side.cells)}" for side in (first, second))
        raise BadInput("two sweeps must have cells of one strategy, order, frames and KV, got {} and {}".format(*names))
    read = cache(Cell.samples)
    for cell, other in common:
        yield " ".join(map(str, _place(cell))), *paired_lines(read, _partners(cell, other))


def _of_two(first: ComparisonSide, second: ComparisonSide) -> tuple[Lines, Lines]:
    if first.cells and second.cells:
        return paired_lines(Cell.samples, _partners(first.cells[0], second.cells[0]))
    ours, theirs = (side.cells[0].samples() if side.cells else side.lines for side in (first, second))
    return ours, theirs


def _partners(cell: Cell, other: Cell) -> list[tuple[Cell, Cell]]:
    """Run by run. BadInput where the two answered no split in common."""
    if not (pairs := partners(cell, other)):
        splits = (", ".join(sorted({str(run.split) for run in one.runs})) for one in (cell, other))
        raise BadInput("{} and {} answered other questions: data.seed {} and {}".format(cell.name, other.name, *splits))
    return pairs


def _by_kind(ours: Lines, theirs: Lines) -> Iterator[tuple[str, Lines, Lines]]:
    """All questions, then each regime and each kind where there are several; labels and kinds are the first side's."""
    yield "all", ours, theirs
    other = {line["id"]: line for line in theirs}
    keys: tuple[Callable[[Sample], Any], ...] = (lambda line: line["labels"].get(LABEL), itemgetter("kind"))
    for key in keys:
        parts = groups(ours, key)
        if len(parts) > 1:
            for name, lines in parts.items():
                yield name, lines, [other[line["id"]] for line in lines]


def _place(cell: Cell) -> tuple:
    return cell.strategy, cell.rearranger, cell.frames, cell.kv_quant


def _row(name: str, found: PairedComparison, p: float, margin: float) -> list[str]:
    difference = found.difference
    counts = map(str, (difference.videos, difference.questions))
    alone = map(str, (difference.gained, difference.lost))
    tests = map(p_text, (found.mcnemar, found.by_video, p))
    scores = (*map(percent, found.accuracies), difference_text(difference), *alone)
    return [name, *counts, *scores, *tests, percent(found.detectable), found.conclusion(p, margin)]


def main() -> int:
    lines = (__doc__ or "").partition("\n\n")
    parser = ArgumentParser(
        "python -m analysis.compare", description=lines[0], epilog=lines[2], formatter_class=RawDescriptionHelpFormatter
    )
    for side in ("A", "B"):
        parser.add_argument(side, help=f"a folder, or FORMAT:FILE with {', '.join(FORMATS)}")
    parser.add_argument("--margin", type=float, default=100 * MARGIN, help="points that count as none (%(default)g)")
    parser.add_argument("--across", action="append", default=[], choices=CONCERNS, help="what may differ")
    given = parser.parse_args()
    return say(lambda: [compare_sides(read_side(given.A), read_side(given.B), given.margin / 100, given.across)])


if __name__ == "__main__":
    sys.exit(main())
