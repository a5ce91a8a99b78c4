"""How far quantisation moves attention and answers, against frames: a line per strategy and KV level."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.lines import Line2D

from .page import (
    COLUMNS,
    LINE,
    PANEL,
    add_legend,
    frames_axis,
    label_axes,
    mark_handle,
    open_axis,
    page,
    save,
    set_title,
    styled,
)
from .runs import Cell, kv_rank
from .style import kv_marks, kv_term, looks
from .table import flipped

PANELS = {  # what stands above it, and the metric it shows; nats
    "attention, layer by layer": "attention_kl/local/all/mean",
    "attention, end to end": "attention_kl/end_to_end/all/mean",
    "answers": "attention_kl/answer_kl/mean",
}
FLIPPED = "answers flipped"
SMALLEST = 1e-9  # nats; less is rounding, and zero has no place on a logarithmic axis


@styled
def draw_distance(cells: Sequence[Cell], path: Path) -> Path | None:
    """Write the figure; None where no quantised cell was compared with its own prefix in full precision."""
    known = looks(cell.strategy for cell in cells)
    cells = [cell for cell in cells if cell.kv_quant != "none" and set(PANELS.values()) <= set(cell.metrics)]
    if not cells:
        return None
    levels = sorted({cell.kv_quant for cell in cells}, key=kv_rank)
    marks = kv_marks(levels)
    figure = page(2 * PANEL + LINE)
    axes = dict(zip((*PANELS, FLIPPED), figure.subplots(2, COLUMNS).flat, strict=True))
    in_lines = sorted(cells, key=lambda cell: (*_line_of(cell), cell.frames))
    lines = [list(line) for _, line in groupby(in_lines, _line_of)]
    for title, axis in axes.items():
        open_axis(axis)
        frames_axis(axis, {cell.frames for cell in cells})
        axis.set_title(title)
        if title != FLIPPED:
            axis.set_yscale("log")
        for line in lines:
            shown = [cell.frames for cell in line], [_value(cell, title) for cell in line]
            axis.plot(*shown, color=known[line[0].strategy].color, marker=marks[line[0].kv_quant], linewidth=0.8)
    label_axes(axes, "frames per video", "KL (nats)")
    axes[FLIPPED].set_ylabel("%")
    model, data = (" + ".join(sorted({getattr(cell, key) for cell in cells})) for key in ("model", "data"))
    counts = sorted({int(cell.metrics["attention_kl/videos"]) for cell in cells})
    videos = f"{' or '.join(map(str, counts))} videos compared with their own prefix in full precision"
    set_title(figure, f"{model} model on {data}", videos)
    strategies = dict.fromkeys(cell.strategy for cell in cells)
    colors = [Line2D([], [], color=known[one].color, label=known[one].term) for one in strategies]
    add_legend(figure, [*colors, *(mark_handle(kv_term(level), marks[level]) for level in levels)])
    return save(figure, path)


def _line_of(cell: Cell) -> tuple:
    return cell.strategy, cell.rearranger, kv_rank(cell.kv_quant)


def _value(cell: Cell, title: str) -> float:
    return 100 * (flipped(cell) or 0) if title == FLIPPED else max(cell.metrics[PANELS[title]], SMALLEST)
