"""What the order of frames was worth in a sweep over video.order, and where in the video the model places events.

python -m analysis.order runs/order
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from intpv.errors import BadInput
from intpv.measure.order import OrderEffect, order_effect
from intpv.measure.paired import PairedDifference

from .runs import Cell, read_sweep
from .table import markdown_table
from .units import MISSING, interval_text, percent

KEY = "video.order"
ORDERS = ("ordered", "shuffled", "reversed")
HEADER = ("questions", "n", *ORDERS, "lost by shuffling", "lost by reversing", "unmoved")
LEGEND = (
    "Accuracy in %, differences in points [95 % interval, bootstrap over videos], the same questions in each order. "
    "Reversed frames are scored by the reversed video's own answers; *unmoved*: questions that reversal turns round "
    "and that still got the ordered video's answer. A kind without a reversed score has no answer backwards."
)


@dataclass(frozen=True)
class Trio:
    """Cells that differ in the order of frames alone."""

    title: str
    cells: Mapping[str, Cell]  # order -> cell


def trios(cells: Sequence[Cell]) -> Iterator[Trio]:
    """Those with all three orders done."""
    found: dict[tuple, dict[str, Cell]] = {}
    for cell in cells:
        if cell.status == "done":
            found.setdefault(_but_order(cell), {})[_order(cell)] = cell
    for (strategy, rearranger, frames, kv, *_), trio in found.items():
        if set(ORDERS) <= trio.keys():
            yield Trio(f"{strategy}, {rearranger}, {frames} frames, kv {kv}", trio)


def write_order(folder: str | Path, cells: Sequence[Cell] | None = None) -> list[Path]:
    """Write order.md and, where positions were asked for, when.png into the sweep's folder; returns what was written.

    Raises BadInput where no three cells differ in video.order alone.
    """
    from .when import draw_when, when_table

    folder = Path(folder)
    found = list(trios(read_sweep(folder) if cells is None else cells))
    if not found:
        raise BadInput(f"{folder}: no three finished cells differ in {KEY} alone; sweep it over {','.join(ORDERS)}")
    samples = [{order: trio.cells[order].samples() for order in ORDERS} for trio in found]
    parts = [f"# Order of frames: {folder.name}\n\n{LEGEND}\n"]
    for trio, lines in zip(found, samples, strict=True):
        rows = [_row(name, effect) for name, effect in order_effect(*(lines[order] for order in ORDERS)).items()]
        parts.append(f"\n## {trio.title}\n\n{markdown_table(HEADER, rows)}{when_table(lines)}")
    (folder / "order.md").write_text("".join(parts), encoding="utf-8")
    figure = draw_when([(trio.title, lines) for trio, lines in zip(found, samples, strict=True)], folder / "when.png")
    return [folder / "order.md", *([figure] if figure else [])]


def _row(name: str, effect: OrderEffect) -> list[str]:
    accuracies = [percent(value) for value in (effect.ordered, effect.shuffled, effect.reversed)]
    losses = [_points(loss) for loss in (effect.lost_by_shuffling, effect.lost_by_reversing)]
    return [name, str(effect.questions), *accuracies, *losses, percent(effect.unmoved)]


def _points(loss: PairedDifference | None) -> str:
    return MISSING if loss is None else f"{100 * loss.mean:+.1f}{interval_text(loss.ci95_low, loss.ci95_high, 1)}"


def _order(cell: Cell) -> str:
    config = yaml.safe_load((cell.folder / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    return config.get("video", {}).get("order", "ordered")


def _but_order(cell: Cell) -> tuple:
    variant = " ".join(part for part in cell.variant.split() if not part.startswith(f"{KEY}="))
    strategy = f"{cell.rope_strategy} {variant}".strip()
    return strategy, cell.rearranger, cell.frames, cell.kv_quant, cell.encoder, cell.model, cell.data


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m analysis.order runs/<sweep>", file=sys.stderr)
        return 2
    try:
        written = write_order(sys.argv[1])
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
