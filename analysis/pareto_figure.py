"""Score against what it costs: a panel each for bytes of the KV prefix, FLOPs and seconds, with the Pareto front."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .page import (
    LINE,
    PANEL,
    add_legend,
    band_handles,
    byte_unit,
    draw_band,
    log_ticks,
    mark_handle,
    open_axis,
    page,
    save,
    set_titles,
    styled,
)
from .pareto import COSTS, Cost, front, priced, score_name, shown_regimes
from .runs import Cell, kv_rank
from .score_columns import prefix
from .style import GREY, Look, kv_marks, kv_term, looks

MARGIN = 1.3  # of the x axis, beyond the least and the most
RING = 9  # points across, around a cell of the front


@styled
def draw_pareto(cells: Sequence[Cell], path: Path) -> Path | None:
    """Write the figure; None where no two finished cells have a score and a cost. A row per cost, a column per regime;
    beside a cell of the front stands its number of frames.
    """
    known, score, shown = looks(cell.strategy for cell in cells), score_name(cells), shown_regimes(cells)
    metrics = {regime: f"{prefix(regime)}{score}" for regime in shown}
    costs = [cost for cost in COSTS if all(len(priced(cells, cost, metric)) > 1 for metric in metrics.values())]
    if not costs:
        return None
    cells = [cell for cell, *_ in priced(cells, costs[0], metrics[shown[0]])]
    marks = kv_marks(sorted({cell.kv_quant for cell in cells}, key=kv_rank))
    figure = page(PANEL * len(costs) + LINE)
    grid = figure.subplots(len(costs), len(shown), sharey=True, squeeze=False)
    for cost, row in zip(costs, grid, strict=True):
        for regime, axis in zip(shown, row, strict=True):
            open_axis(axis)
            _draw_cost(axis, priced(cells, cost, metrics[regime]), cost, metrics[regime], known, marks)
        row[0].set_ylabel(f"{score} (%)")
    orders = sorted({cell.rearranger for cell in cells})
    set_titles(figure, dict(zip(shown, grid[0], strict=True)), cells, " + ".join(orders))
    strategies = dict.fromkeys(cell.strategy for cell in cells)
    colors = [mark_handle(known[one].term, "s", color=known[one].color) for one in strategies]
    levels = [mark_handle(kv_term(level), mark) for level, mark in marks.items()]
    line = Line2D([], [], color=GREY, linewidth=0.9, label="Pareto front, with frames")
    add_legend(figure, [*colors, *levels, line, *band_handles(figure)])
    return save(figure, path)


def _draw_cost(
    axis: Axes,
    points: Sequence[tuple[Cell, float, float]],
    cost: Cost,
    metric: str,
    known: Mapping[str, Look],
    marks: Mapping[str, object],
) -> None:
    most, least = max(price for _, price, _ in points), min(price for _, price, _ in points)
    unit, name = _unit(cost, most)
    best = [points[index] for index in front([point[1:] for point in points])]
    x, y = [price / unit for _, price, _ in best], [100 * value for *_, value in best]
    axis.step([*x, MARGIN * most / unit], [*y, y[-1]], where="post", color=GREY, linewidth=0.9, zorder=1)
    for cell, price, value in points:
        color = known[cell.strategy].color
        draw_band(axis, [cell], [price / unit], metric, color)
        axis.plot(price / unit, 100 * value, linestyle="", marker=marks[cell.kv_quant], color=color, markersize=4)
    for (cell, *_), *place in zip(best, x, y, strict=True):
        axis.plot(*place, linestyle="", marker="o", markersize=RING, fillstyle="none", color=GREY, markeredgewidth=0.7)
        at = place[0], place[1]
        axis.annotate(f"{cell.frames}", at, xytext=(0, 5), textcoords="offset points", ha="center", fontsize=5.5)
    low, high = least / unit / MARGIN, MARGIN * most / unit
    ticks = log_ticks(low, high, most=4)
    axis.set_xscale("log")
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(low, high)
    axis.set_xlabel(f"{cost.name} ({name})")


def _unit(cost: Cost, most: float) -> tuple[float, str]:
    """What an axis up to so much is divided by, and its name."""
    if cost.name == "KV prefix":
        return byte_unit(most)
    return (1e12, "TFLOP") if cost.name == "arithmetic" else (1.0, "s")
