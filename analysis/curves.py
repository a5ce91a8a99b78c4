"""Accuracy against frames: one panel per regime, one line per strategy, full precision, between ceiling and blind."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes

from .columns import prefix
from .pairs import baseline
from .panels import COLORS, GREY, MARKERS, add_legend, error, panels, save, set_titles
from .runs import Cell

STYLES = ("-", "--", "-.", ":")  # one per rearranger
APART = 0.07  # octaves between marks at the same number of frames, so that error bars can be told apart
MARGIN = 2**0.4  # of the x axis, beyond the fewest and the most frames


def draw_accuracy(cells: Sequence[Cell], path: Path) -> Path | None:
    """Write the figure; None where no full-precision cell is done."""
    cells = [cell for cell in cells if cell.status == "done" and cell.kv_quant == "none" and "accuracy" in cell.metrics]
    if not cells:
        return None
    figure, axes = panels(cells)
    orders = sorted({cell.rearranger for cell in cells})
    for regime, axis in axes.items():
        _draw_bounds(axis, cells, prefix(regime))
        _draw_baseline(axis, baseline(cells), prefix(regime))
        _draw_strategies(axis, cells, orders, f"{prefix(regime)}accuracy")
        ticks = sorted({cell.frames for cell in cells})
        axis.set_xscale("log", base=2)
        axis.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        axis.minorticks_off()
        axis.set_xlim(ticks[0] / MARGIN, ticks[-1] * MARGIN)
        axis.set_ylim(0, 103)
        axis.set_xlabel("frames")
    first = next(iter(axes.values()))
    first.set_ylabel("accuracy in % (bars: 95 % over videos)")
    set_titles(figure, axes, cells, " + ".join(orders), "kv none")
    add_legend(figure, first.get_legend_handles_labels()[0])
    return save(figure, path)


def _draw_strategies(axis: Axes, cells: Sequence[Cell], orders: list[str], metric: str) -> None:
    strategies = list(dict.fromkeys(cell.strategy for cell in cells))
    lines = [(key, list(line)) for key, line in groupby(cells, lambda cell: (cell.strategy, cell.rearranger))]
    apart = min(APART, 0.5 / len(lines))
    for place, ((strategy, order), line) in enumerate(lines):
        shown = [cell for cell in line if metric in cell.metrics]
        index = strategies.index(strategy)
        shift = 2 ** (apart * (place - (len(lines) - 1) / 2))
        style = {"color": COLORS[index % len(COLORS)], "marker": MARKERS[index % len(MARKERS)]}
        x = [cell.frames * shift for cell in shown]
        label = strategy if len(orders) == 1 else f"{strategy}, {order}"
        y = [100 * cell.metrics[metric] for cell in shown]
        axis.plot(x, y, STYLES[orders.index(order) % len(STYLES)], label=label, markersize=6, **style)
        for cell, at, value in zip(shown, x, y, strict=True):
            axis.errorbar(at, value, error(cell, metric), ecolor=style["color"], capsize=3, elinewidth=1, fmt="none")


def _draw_bounds(axis: Axes, cells: Sequence[Cell], start: str) -> None:
    for name, style in (("ceiling", "--"), ("blind", "-.")):
        means = {cell.frames: cell.metrics[start + name] for cell in cells if start + name in cell.metrics}
        if means:
            frames = sorted(means)
            y = [100 * means[count] for count in (frames[0], *frames, frames[-1])]
            axis.plot(
                [frames[0] / MARGIN, *frames, frames[-1] * MARGIN], y, style, color=GREY, linewidth=1.4, label=name
            )


def _draw_baseline(axis: Axes, cell: Cell | None, start: str) -> None:
    if cell and f"{start}accuracy" in cell.metrics:
        label = f"baseline ({cell.frames} frames)"
        axis.axhline(100 * cell.metrics[f"{start}accuracy"], color=GREY, linestyle=":", linewidth=1, label=label)
