"""Pairs: each cell against the baseline and against its own full-precision twin, on the same questions."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from intpv.errors import BadInput
from intpv.escape import markdown_table
from intpv.metrics.paired import PairedDifference, paired_difference
from intpv.record.samples import Sample

from .runs import Cell, of_run
from .score_columns import of_regime, regimes
from .units import MISSING, interval_text

Read = Callable[[Cell], list[Sample]]
HEADING = (
    "## Paired differences\n\nAccuracy of a cell minus accuracy of its reference on the same questions, in points "
    "[95 % interval, bootstrap over videos; –: none, as no answer differs or there is one video; *: of fewer than 10 "
    "videos]. Many intervals are shown: one in twenty leaves out 0 by luck. Runs of several seeds are paired seed by "
    "seed, and always on the same split (data.seed). differences.csv has the same per kind of question, "
    "and intervals that have a width where no answer differs.\n\n"
)


def baseline(cells: Sequence[Cell], like: Cell | None = None) -> Cell | None:
    """The fewest frames shown without RoPE scaling and in full precision: what the model was trained on; where models
    or test sets differ, that of the cell it is compared with."""
    cells = [cell for cell in cells if like is None or _asked(cell) == _asked(like)]
    plain = [c for c in cells if c.status == "done" and c.kv_quant == "none" and c.rope_strategy == "none"]
    plain = [c for c in plain if not {"video.order=shuffled", "video.order=reversed"} & set(c.variant.split())]
    return min(plain, key=lambda cell: (cell.frames, cell.rearranger != "contiguous"), default=None)


def full_precision(cells: Sequence[Cell], cell: Cell) -> Cell | None:
    """The finished cell that differs from `cell` in nothing but the quantisation; None for a cell without any."""
    if cell.kv_quant == "none":
        return None
    alike = (c for c in cells if c.status == "done" and c.kv_quant == "none" and _but_kv(c) == _but_kv(cell))
    return next(alike, None)


def append_pairs(cells: Sequence[Cell], path: Path) -> None:
    """Add the table of differences to a Markdown file; nothing where no cell has a reference."""
    read = cache(Cell.samples)
    columns = regimes(cells)
    rows, frames = [], set[int]()
    for cell in cells:
        base = baseline(cells, cell)
        frames |= {base.frames} if base else set()
        references = (base if base is not cell else None, full_precision(cells, cell))
        if cell.status == "done" and any(references):
            texts = [_text(read, cell, one, regime) for one in references for regime in columns]
            rows.append([cell.strategy, cell.rearranger, str(cell.frames), cell.kv_quant, *texts])
    if rows:
        shown = " or ".join(map(str, sorted(frames)))
        names = [f"baseline ({shown} frames)" if frames else "baseline", "full precision"]
        header = ["RoPE", "order", "F", "kv", *(f"{r} − {name}".strip() for name in names for r in columns)]
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{HEADING}{markdown_table(header, rows)}")


def difference(cell: Sequence[Sample], reference: Sequence[Sample], regime: str) -> PairedDifference:
    """Of one regime, or of all questions for ""."""
    return paired_difference(of_regime(cell, regime), of_regime(reference, regime))


def difference_text(found: PairedDifference) -> str:
    """Points with their interval, [–] where there is none."""
    interval = interval_text(found.ci95_low, found.ci95_high, 1, found.mean, found.videos)
    return f"{100 * found.mean:+.1f}{interval or f' [{MISSING}]'}"


def partners(cell: Cell, reference: Cell) -> list[tuple[Cell, Cell]]:
    """Each run of the cell with the reference's of the same seeds, else with one of the same training that answered the
    same split."""
    same = {run.seeds: run for run in reference.runs}
    alike = {_training_and_split(run): run for run in reversed(reference.runs)}
    found = [(run, same.get(run.seeds) or alike.get(_training_and_split(run))) for run in cell.runs]
    return [(run, other) for run, other in found if other is not None]


def paired_lines(read: Read, pairs: Sequence[tuple[Cell, Cell]]) -> tuple[list[Sample], list[Sample]]:
    """The lines of either side, both named for the first: one of the second may stand beside several of them."""
    ours, theirs = ([line for pair in pairs for line in of_run(read(pair[side]), pair[0])] for side in (0, 1))
    return ours, theirs


def _text(read: Read, cell: Cell, reference: Cell | None, regime: str) -> str:
    if reference is None:
        return MISSING
    pairs = partners(cell, reference)
    try:
        text = difference_text(difference(*paired_lines(read, pairs), regime))
    except BadInput:  # another benchmark, or another limit: the two have no common questions
        return "other questions"
    return text if len(pairs) == len(cell.runs) else f"{text} ({len(pairs)} of {len(cell.runs)} seeds)"


def _training_and_split(run: Cell) -> tuple:
    return dict(run.seeds).get("model.seed"), run.split


def _asked(cell: Cell) -> tuple:
    return cell.encoder, cell.model, cell.data


def _but_kv(cell: Cell) -> tuple:
    return cell.rearranger, cell.strategy, cell.frames, *_asked(cell)
