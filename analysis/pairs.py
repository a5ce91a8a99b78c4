"""Pairs: each cell against the baseline and against its own full-precision twin, on the same questions."""

from collections.abc import Sequence
from pathlib import Path

from intpv.errors import BadInput
from intpv.measure.paired import PairedDifference, paired_difference
from intpv.measure.subsets import LABEL

from .columns import regimes
from .runs import Cell
from .table import markdown_table
from .units import MISSING, interval_text

HEADING = (
    "## Paired differences\n\nAccuracy of a cell minus accuracy of its reference on the same questions, in points "
    "[95 % interval, bootstrap over videos]. Many intervals are shown: one in twenty leaves out 0 by luck.\n\n"
)


def baseline(cells: Sequence[Cell]) -> Cell | None:
    """The fewest frames shown without RoPE scaling and in full precision: what the model was trained on."""
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
    base = baseline(cells)
    shown = [cell for cell in cells if cell.status == "done"]
    samples = {cell.name: cell.samples() for cell in shown}
    columns = regimes(cells)
    rows = []
    for cell in shown:
        references = (base if base is not cell else None, full_precision(cells, cell))
        if any(references):
            texts = [_text(samples, cell, one, regime) for one in references for regime in columns]
            rows.append([cell.strategy, cell.rearranger, str(cell.frames), cell.kv_quant, *texts])
    if rows:
        names = [f"baseline ({base.frames} frames)" if base else "baseline", "full precision"]
        header = ["RoPE", "order", "F", "kv", *(f"{r} − {name}".strip() for name in names for r in columns)]
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{HEADING}{markdown_table(header, rows)}")


def difference(cell: list[dict], reference: list[dict], regime: str) -> PairedDifference:
    """Of one regime, or of all questions for ""."""
    ours, theirs = (
        [line for line in lines if not regime or line["labels"].get(LABEL) == regime] for lines in (cell, reference)
    )
    return paired_difference(ours, theirs)


def _text(samples: dict[str, list[dict]], cell: Cell, reference: Cell | None, regime: str) -> str:
    if reference is None:
        return MISSING
    try:
        found = difference(samples[cell.name], samples[reference.name], regime)
    except BadInput:  # another benchmark, or another limit: the two have no common questions
        return "other questions"
    return f"{100 * found.mean:+.1f}{interval_text(found.ci95_low, found.ci95_high, 1)}"


def _but_kv(cell: Cell) -> tuple:
    return cell.rearranger, cell.strategy, cell.frames, cell.encoder, cell.model, cell.data
