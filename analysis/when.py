"""In which part of the video the model places events, against where they are: a panel per cell, and its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from intpv.measure.order import as_reversed
from intpv.measure.when import KIND, confusion, when

from .panels import DPI, save
from .table import markdown_table
from .units import percent

Lines = Mapping[str, list[dict]]  # order of frames -> samples
HEADER = ("which eighth", "asked", "valid", "exact", "within one", "mean error")


def by_order(lines: Lines) -> dict[str, list[dict]]:
    """The questions of this kind, those about reversed frames with the reversed video's answers."""
    asked = {order: [line for line in cell if line["kind"] == KIND] for order, cell in lines.items()}
    known = {
        order: [line for line in cell if line["labels"].get("reversed_answer") is not None]
        for order, cell in asked.items()
    }
    return {order: as_reversed(known[order]) if order == "reversed" else cell for order, cell in asked.items()}


def when_table(lines: Lines) -> str:
    """Markdown with a row per order; empty where nothing of the kind was asked."""
    rows = [_row(order, when(cell)) for order, cell in by_order(lines).items() if cell]
    return f"\n{markdown_table(HEADER, rows)}" if rows else ""


def draw_when(trios: Sequence[tuple[str, Lines]], path: Path) -> Path | None:
    """Write the figure: a row of panels per title, a panel per order. None where nothing of the kind was asked."""
    matrices = [(title, {order: confusion(cell) for order, cell in by_order(lines).items()}) for title, lines in trios]
    matrices = [(title, panels) for title, panels in matrices if any(counts.size for counts in panels.values())]
    if not matrices:
        return None
    figure = Figure(figsize=(12, 4.4 * len(matrices)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(matrices), max(len(panels) for _, panels in matrices), squeeze=False)
    for row, (title, panels) in zip(axes, matrices, strict=True):
        for axis, (order, counts) in zip(row, panels.items(), strict=True):
            image = _draw(axis, counts)
            axis.set_title(f"{title}\n{order}", fontsize=10)
        row[0].set_ylabel("true part of the video")
    figure.colorbar(image, ax=axes, pad=0.02, aspect=30, label="share of the answers about that part")
    return save(figure, path)


def _draw(axis: Axes, counts: NDArray):
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axis.imshow(shares, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    names = range(1, len(counts) + 1)
    axis.set_xticks(range(len(counts)), names)
    axis.set_yticks(range(len(counts)), names)
    axis.set_xlabel("part the model named")
    for (true, said), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[true, said] < 0.6 else "black"
            axis.text(said, true, str(count), ha="center", va="center", color=colour, fontsize=9)
    return image


def _row(order: str, figures: Mapping[str, float]) -> list[str]:
    shares = [percent(figures.get(f"when/{name}")) for name in ("valid", "exact", "within_one")]
    error = figures.get("when/signed_error")
    return [order, f"{figures['when/questions']:.0f}", *shares, "–" if error is None else f"{error:+.2f} eighths"]
