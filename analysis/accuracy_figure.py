"""Accuracy against frames: one panel per regime, one line per strategy, full precision, between ceiling and blind."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .page import (
    add_legend,
    band_handles,
    draw_band,
    frames_axis,
    label_axes,
    mark_handle,
    panels,
    save,
    set_titles,
    styled,
)
from .pairs import baseline
from .runs import Cell
from .score_columns import prefix
from .style import GREY, Look, kv_term, looks

Dashes = Literal["-", "--", "-.", ":"]
STYLES: tuple[Dashes, ...] = ("-", "--", "-.", ":")  # one per rearranger
SEEDS: dict[str, Any] = {"markersize": 2.5, "alpha": 0.6}


@styled
def draw_accuracy(cells: Sequence[Cell], path: Path) -> Path | None:
    """Write the figure; None where no full-precision cell is done."""
    known = looks(cell.strategy for cell in cells)
    cells = [cell for cell in cells if cell.status == "done" and cell.kv_quant == "none" and "accuracy" in cell.metrics]
    if not cells:
        return None
    figure, axes = panels(cells)
    orders = sorted({cell.rearranger for cell in cells})
    for regime, axis in axes.items():
        frames_axis(axis, {cell.frames for cell in cells})
        _draw_bounds(axis, cells, prefix(regime))
        _draw_baseline(axis, baseline(cells), prefix(regime))
        _draw_strategies(axis, cells, orders, f"{prefix(regime)}accuracy", known)
        axis.set_ylim(0, 103)
    label_axes(axes, "frames per video", "accuracy (%)")
    set_titles(figure, axes, cells, " + ".join(orders), kv_term("none"))
    labelled = next(iter(axes.values())).get_legend_handles_labels()[0]
    handles = [handle for handle in labelled if isinstance(handle, Line2D)]  # all are
    strategies: dict[str, Artist] = {}  # each once, whatever its orders
    for handle in handles:
        if handle.get_color() != GREY:
            strategies.setdefault(str(handle.get_label()), handle)
    references = [handle for handle in handles if handle.get_color() == GREY]
    told = [Line2D([], [], color="black", linestyle=_dashes(orders, order), label=order) for order in orders]
    seeds = [mark_handle("one seed", ".", **SEEDS)] if any(cell.parts for cell in cells) else []
    add_legend(
        figure, [*strategies.values(), *(told if len(orders) > 1 else ()), *references, *band_handles(figure), *seeds]
    )
    return save(figure, path)


def _draw_strategies(
    axis: Axes, cells: Sequence[Cell], orders: list[str], metric: str, known: Mapping[str, Look]
) -> None:
    for (strategy, order), line in groupby(cells, lambda cell: (cell.strategy, cell.rearranger)):
        shown = [cell for cell in line if metric in cell.metrics]
        term, color, marker = known[strategy]
        x = [cell.frames for cell in shown]
        y = [100 * cell.metrics[metric] for cell in shown]
        draw_band(axis, shown, x, metric, color)
        axis.plot(x, y, _dashes(orders, order), label=term, color=color, marker=marker)
        for cell in shown:
            seeds = [100 * part.metrics[metric] for part in cell.parts if metric in part.metrics]
            axis.plot([cell.frames] * len(seeds), seeds, ".", color=color, **SEEDS)


def _dashes(orders: Sequence[str], order: str) -> Dashes:
    return STYLES[orders.index(order) % len(STYLES)]


def _draw_bounds(axis: Axes, cells: Sequence[Cell], start: str) -> None:
    bounds = [("ceiling", "ceiling", "--"), ("blind", "blind guess", "-.")]
    if not any(f"{start}blind" in cell.metrics for cell in cells):
        bounds.append(("majority_floor", "majority floor", "-."))
    for name, label, style in bounds:
        means = {cell.frames: cell.metrics[start + name] for cell in cells if start + name in cell.metrics}
        if means:
            frames = sorted(means)
            x = frames if len(frames) > 1 else axis.get_xlim()
            y = [100 * means[count] for count in frames] * (len(x) // len(frames))
            axis.plot(x, y, style, color=GREY, linewidth=0.9, label=label)


def _draw_baseline(axis: Axes, cell: Cell | None, start: str) -> None:
    if cell and f"{start}accuracy" in cell.metrics:
        label = f"baseline ({cell.frames} frames)"
        axis.axhline(100 * cell.metrics[f"{start}accuracy"], color=GREY, linestyle=":", linewidth=0.8, label=label)
