"""Skill against the size of the KV prefix: one line per number of frames, one mark per KV level, one strategy."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .page import (
    add_legend,
    band_handles,
    byte_unit,
    draw_band,
    label_axes,
    log_ticks,
    mark_handle,
    panels,
    save,
    set_titles,
    styled,
)
from .runs import Cell, kv_rank
from .score_columns import prefix, regimes
from .style import GREY, kv_marks, kv_term, looks, shades, strategy_term

SIZE = "kv/bytes"
MARGIN = 1.3  # of the x axis, beyond the smallest and the largest
BOUNDS = {"ceiling": (100, "--"), "blind guess": (0, "-.")}  # in percent of skill


@styled
def draw_kv(cells: Sequence[Cell], path: Path) -> Path | None:
    """Write the figure; None where no strategy has two KV levels with skill and size.

    All lines are of the strategy's colour, the more frames the darker.
    """
    known = looks(cell.strategy for cell in cells)
    metrics = [SIZE, *(f"{prefix(regime)}skill" for regime in regimes(cells))]
    cells = _of_one_strategy([cell for cell in cells if cell.status == "done" and SIZE in cell.metrics])
    cells = [cell for cell in cells if any(metric in cell.metrics for metric in metrics[1:])]
    levels = sorted({cell.kv_quant for cell in cells}, key=kv_rank)
    if len(levels) < 2:
        return None
    marks = kv_marks(levels)
    frames = sorted({cell.frames for cell in cells})
    colors = dict(zip(frames, shades(known[cells[0].strategy].color, len(frames)), strict=True))
    figure, axes = panels(cells)
    sizes = [cell.metrics[SIZE] for cell in cells]
    unit, name = byte_unit(max(sizes))
    low, high = min(sizes) / unit / MARGIN, max(sizes) / unit * MARGIN
    ticks = log_ticks(low, high)
    for regime, axis in axes.items():
        for level, (skill, style) in BOUNDS.items():
            axis.axhline(skill, color=GREY, linestyle=style, linewidth=0.9, label=level)
        for count, line in groupby(cells, lambda cell: cell.frames):
            _draw_line(axis, list(line), f"{prefix(regime)}skill", unit, colors[count], marks)
        axis.set_xscale("log")
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.set_xlim(low, high)
    label_axes(axes, f"size of the KV prefix ({name})", "skill (%)")
    set_titles(figure, axes, cells, cells[0].rearranger, f"RoPE: {strategy_term(cells[0].strategy)}")
    lines = [Line2D([], [], color=colors[count], label=f"{count} frames") for count in frames]
    points = [mark_handle(kv_term(level), marks[level]) for level in levels]
    bounds = next(iter(axes.values())).get_legend_handles_labels()[0]
    add_legend(figure, [*lines, *points, *bounds, *band_handles(figure)])
    return save(figure, path)


def _of_one_strategy(cells: Sequence[Cell]) -> list[Cell]:
    """The strategy (with its order) of which most is known; among equals the one with the highest mean accuracy."""
    known = Counter((cell.strategy, cell.rearranger) for cell in cells)

    def rank(strategy: tuple[str, str]) -> tuple[int, float]:
        return known[strategy], sum(c.metrics["accuracy"] for c in cells if (c.strategy, c.rearranger) == strategy)

    chosen = max(known, key=rank, default=None)
    return [cell for cell in cells if (cell.strategy, cell.rearranger) == chosen]


def _draw_line(
    axis: Axes, cells: Sequence[Cell], metric: str, unit: float, color: str, marks: Mapping[str, object]
) -> None:
    shown = sorted((cell for cell in cells if metric in cell.metrics), key=lambda cell: cell.metrics[SIZE])
    x = [cell.metrics[SIZE] / unit for cell in shown]
    y = [100 * cell.metrics[metric] for cell in shown]
    draw_band(axis, shown, x, metric, color)
    axis.plot(x, y, color=color)
    for cell, *place in zip(shown, x, y, strict=True):
        axis.plot(*place, linestyle="", marker=marks[cell.kv_quant], color=color, markersize=5)
