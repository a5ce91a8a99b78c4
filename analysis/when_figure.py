"""In which part of the video the model places events, against where they are: a panel per cell, and its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from intpv.escape import markdown_table
from intpv.metrics.frame_order import as_reversed
from intpv.metrics.when import KIND, confusion, when
from intpv.record.samples import Sample

from .page import LINE, page, save, styled, wrapped
from .style import run_terms
from .units import percent

Lines = Mapping[str, Sequence[Sample]]  # order of frames -> samples
HEIGHT = 1.15  # inches, of a row of panels without its title
HEADER = ("which eighth", "asked", "valid", "exact", "within one", "mean error")


def by_order(lines: Lines) -> dict[str, list[Sample]]:
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


@styled
def draw_when(trios: Sequence[tuple[tuple[str, str, int, str], Lines]], path: Path) -> Path | None:
    """Write the figure: of each strategy, rearranger, frames and KV policy a row of panels, one per order.

    None where nothing of the kind was asked.
    """
    matrices = [(run, {order: confusion(cell) for order, cell in by_order(lines).items()}) for run, lines in trios]
    matrices = [(run, panels) for run, panels in matrices if any(counts.size for counts in panels.values())]
    if not matrices:
        return None
    titles = [wrapped(run_terms(*run)) for run, _ in matrices]
    heights = [HEIGHT + LINE * len(title.split("\n")) for title in titles] + [0.4]
    figure = page(sum(heights))
    *rows, last = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).flat
    for row, title, (_, panels) in zip(rows, titles, matrices, strict=True):
        row.suptitle(title)
        image = _draw_row(row, panels)
    bar = last.subplots()
    figure.colorbar(image, cax=bar, orientation="horizontal", label="share of the answers about a true part")
    bar.set_box_aspect(0.04)
    return save(figure, path)


def _draw_row(row: SubFigure, panels: Mapping[str, NDArray]) -> AxesImage:
    axes = row.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (order, counts) in zip(axes, panels.items(), strict=True):
        image = _draw(axis, counts)
        axis.set_title(f"{order}, n = {counts.sum():.0f}")
    axes[len(axes) // 2].set_xlabel("part of the video that the model named")
    axes[0].set_ylabel("true part")
    return image


def _draw(axis: Axes, counts: NDArray) -> AxesImage:
    """A part that no question was about stays white."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    image = axis.imshow(shares, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    names = [str(part) for part in range(1, len(counts) + 1)]
    axis.set_xticks(range(len(counts)), names)
    axis.set_yticks(range(len(counts)), names)
    axis.tick_params(length=0, pad=2)
    return image


def _row(order: str, figures: Mapping[str, float]) -> list[str]:
    shares = [percent(figures.get(f"when/{name}")) for name in ("valid", "exact", "within_one")]
    error = figures.get("when/signed_error")
    return [order, f"{figures['when/questions']:.0f}", *shares, "–" if error is None else f"{error:+.2f} eighths"]
