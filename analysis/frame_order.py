"""What the order of frames was worth in a sweep over video.order, and where in the video the model places events.

python -m analysis.frame_order runs/order
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intpv.errors import BadInput
from intpv.escape import markdown_table, printable
from intpv.metrics.frame_order import OrderEffect, order_effect
from intpv.metrics.paired import PairedDifference
from intpv.record.composed import read_composed

from .pairs import difference_text
from .provenance import provenance_lines
from .runs import Cell, read_sweep, run_command
from .seeds import over_seeds
from .units import MISSING, percent

KEY = "video.order"
ORDERS = ("ordered", "shuffled", "reversed")
HEADER = ("questions", "n", *ORDERS, "lost by shuffling", "lost by reversing", "unmoved")
LEGEND = (
    "Accuracy in %, differences in points [95 % interval, bootstrap over videos; –: none, as no answer differs; "
    "*: of fewer than 10 videos], the same questions in each order. "
    "Reversed frames are scored by the reversed video's own answers; *unmoved*: questions that reversal turns round "
    "and that still got the ordered video's answer. A kind without a reversed score has no answer backwards."
)


@dataclass(frozen=True)
class Trio:
    """Cells that differ in the order of frames alone."""

    run: tuple[str, str, int, str]  # strategy, rearranger, frames, KV policy
    cells: Mapping[str, Cell]  # order -> cell

    @property
    def title(self) -> str:
        """By the options' names."""
        return "{}, {}, {} frames, kv {}".format(*self.run)


def trios(cells: Sequence[Cell]) -> Iterator[Trio]:
    """Those with all three orders done."""
    found: dict[tuple, dict[str, Cell]] = {}
    for cell in cells:
        if cell.status == "done":
            found.setdefault(_but_order(cell), {})[_order(cell)] = cell
    for (strategy, rearranger, frames, kv, *_), trio in found.items():
        if set(ORDERS) <= trio.keys():
            yield Trio((strategy, rearranger, frames, kv), trio)


def write_order(folder: str | Path, cells: Sequence[Cell] | None = None) -> list[Path]:
    """Write order.md and, where positions were asked for, the figure when into the sweep's folder; returns the files.

    Raises BadInput where no three cells differ in video.order alone.
    """
    from .when_figure import draw_when, when_table

    folder = Path(folder)
    found = list(trios(over_seeds(read_sweep(folder)) if cells is None else cells))
    if not found:
        raise BadInput(f"{folder}: no three finished cells differ in {KEY} alone; sweep it over {','.join(ORDERS)}")
    samples = [{order: trio.cells[order].samples() for order in ORDERS} for trio in found]
    shown = [cell for trio in found for cell in trio.cells.values()]
    parts = [f"# Order of frames: {printable(folder.name)}\n\n{provenance_lines(folder, shown)}\n{LEGEND}\n"]
    for trio, lines in zip(found, samples, strict=True):
        rows = [_row(name, effect) for name, effect in order_effect(*map(lines.__getitem__, ORDERS)).items()]
        parts.append(f"\n## {printable(trio.title)}\n\n{markdown_table(HEADER, rows)}{when_table(lines)}")
    (folder / "order.md").write_text("".join(parts), encoding="utf-8")
    figure = draw_when([(trio.run, lines) for trio, lines in zip(found, samples, strict=True)], folder / "when.png")
    return [folder / "order.md", *([figure, figure.with_suffix(".pdf")] if figure else [])]


def _row(name: str, effect: OrderEffect) -> list[str]:
    accuracies = [percent(value) for value in (effect.ordered, effect.shuffled, effect.reversed)]
    losses = [_points(loss) for loss in (effect.lost_by_shuffling, effect.lost_by_reversing)]
    return [name, str(effect.questions), *accuracies, *losses, percent(effect.unmoved)]


def _points(loss: PairedDifference | None) -> str:
    return MISSING if loss is None else difference_text(loss)


def _order(cell: Cell) -> str:
    composed = read_composed(cell.folder)
    assert composed is not None  # a finished cell has one: see read_sweep
    return composed.config.get("video", {}).get("order", "ordered")


def _but_order(cell: Cell) -> tuple:
    variant = " ".join(part for part in cell.variant.split() if not part.startswith(f"{KEY}="))
    strategy = f"{cell.rope_strategy} {variant}".strip()
    seeds = tuple(run.seeds for run in cell.runs)
    return strategy, cell.rearranger, cell.frames, cell.kv_quant, cell.encoder, cell.model, cell.data, seeds


def main() -> int:
    return run_command("frame_order", "runs/<sweep>", write_order)


if __name__ == "__main__":
    sys.exit(main())
