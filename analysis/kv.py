"""Skill against the size of the KV prefix: one line per number of frames, one mark per KV level, one strategy."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .columns import prefix, regimes
from .panels import COLORS, GREY, MARKERS, add_legend, error, panels, save, set_titles
from .runs import Cell, kv_rank
from .units import bytes_text


def draw_kv(cells: Sequence[Cell], path: Path) -> Path | None:
    """Write the figure; None where no strategy has two KV levels with skill and size."""
    metrics = ["kv/bytes", *(f"{prefix(regime)}skill" for regime in regimes(cells))]
    cells = _of_one_strategy([cell for cell in cells if cell.status == "done" and metrics[0] in cell.metrics])
    cells = [cell for cell in cells if any(metric in cell.metrics for metric in metrics[1:])]
    levels = sorted({cell.kv_quant for cell in cells}, key=kv_rank)
    if len(levels) < 2:
        return None
    marks = {level: MARKERS[index % len(MARKERS)] for index, level in enumerate(levels)}
    frames = sorted({cell.frames for cell in cells})
    colors = {count: COLORS[index % len(COLORS)] for index, count in enumerate(frames)}
    figure, axes = panels(cells)
    for regime, axis in axes.items():
        for count, line in groupby(cells, lambda cell: cell.frames):
            _draw_line(axis, list(line), f"{prefix(regime)}skill", colors[count], marks)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda count, _: bytes_text(count)))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.tick_params(axis="x", rotation=30)
        axis.axhline(0, color=GREY, linestyle="-.", linewidth=1)
        axis.axhline(100, color=GREY, linestyle="--", linewidth=1)
        axis.set_xlabel("size of the KV prefix")
    next(iter(axes.values())).set_ylabel("skill in % (0: blind, 100: ceiling; bars: 95 % over videos)")
    set_titles(figure, axes, cells, cells[0].rearranger, cells[0].strategy)
    lines = [Line2D([], [], color=colors[count], label=f"{count} frames") for count in frames]
    points = [Line2D([], [], color=GREY, marker=marks[level], linestyle="", label=f"kv {level}") for level in levels]
    add_legend(figure, lines + points)
    return save(figure, path)


def _of_one_strategy(cells: Sequence[Cell]) -> list[Cell]:
    """The strategy (with its order) of which most is known; among equals the one with the highest mean accuracy."""
    known = Counter((cell.strategy, cell.rearranger) for cell in cells)

    def rank(strategy: tuple[str, str]) -> tuple[int, float]:
        return known[strategy], sum(c.metrics["accuracy"] for c in cells if (c.strategy, c.rearranger) == strategy)

    chosen = max(known, key=rank, default=None)
    return [cell for cell in cells if (cell.strategy, cell.rearranger) == chosen]


def _draw_line(axis: Axes, cells: Sequence[Cell], metric: str, color: str, marks: dict[str, str]) -> None:
    shown = [cell for cell in cells if metric in cell.metrics]
    axis.plot([c.metrics["kv/bytes"] for c in shown], [100 * c.metrics[metric] for c in shown], color=color)
    for cell in shown:
        place = cell.metrics["kv/bytes"], 100 * cell.metrics[metric]
        style = {"fmt": marks[cell.kv_quant], "color": color, "markersize": 8}
        axis.errorbar(*place, error(cell, metric), capsize=3, elinewidth=1, **style)
