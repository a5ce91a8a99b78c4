"""Panels: what the figures share - size, colours, and the words that say what was measured."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .columns import prefix, regimes
from .runs import Cell

# Okabe & Ito 2008, distinct with every colour blindness; grey and dotted lines stay free for the references
COLORS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7")
MARKERS = "osD^vPX*<>hp"
GREY = "#767676"
SIZE = (12.0, 6.0)  # inches at 100 dots each: 1200 px wide
DPI = 100
CHARACTERS = 140  # of a line of the legend across the figure


def panels(cells: Sequence[Cell]) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel per regime; they share the y axis."""
    found = regimes(cells)
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axis in axes:
        open_axis(axis)
    return figure, dict(zip(found, axes, strict=True))


def open_axis(axis: Axes) -> None:
    """No frame above and to the right, faint lines behind."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axis.set_axisbelow(True)


def cell_figure(cell: Cell, what: str, height: float) -> Figure:
    """Of one cell: what is shown, of which model on which test set, and below it how it was run; height in inches."""
    figure = Figure(figsize=(SIZE[0], height), dpi=DPI, layout="constrained")
    run = f"{cell.rearranger}, RoPE {cell.rope_strategy}, {cell.frames} frames, kv {cell.kv_quant}"
    asked = size([cell], "")
    figure.suptitle(f"{what}: {cell.model} model on {cell.data}\n{run}; {asked}", fontsize=13)
    return figure


def set_titles(figure: Figure, axes: dict[str, Axes], cells: Sequence[Cell], *what: str) -> None:
    """Model, test set and `what` above the figure, and how much was asked: above it if the same in every panel."""
    sizes = {regime: size(cells, regime) for regime in axes}
    each = set(sizes.values())
    model, data = (" + ".join(sorted({getattr(cell, key) for cell in cells})) for key in ("model", "data"))
    title = ", ".join((f"{model} model on {data}", *what))
    common = f"; {each.pop()}{' each panel' * (len(axes) > 1)}" if len(each) == 1 else ""
    figure.suptitle(title + common, fontsize=13)
    for regime, axis in axes.items():
        axis.set_title(", ".join(filter(None, (regime, "" if common else sizes[regime]))), fontsize=12)


def size(cells: Sequence[Cell], regime: str) -> str:
    """60 videos x 10 questions, or both totals where videos have different numbers of questions."""
    counts = {tuple(cell.metrics.get(prefix(regime) + name, 0) for name in ("videos", "questions")) for cell in cells}
    texts = []
    for videos, questions in sorted(counts):
        whole = videos and questions % videos == 0
        texts.append(f"{videos:.0f} videos x {questions / videos:.0f} questions" if whole else "")
        texts[-1] = texts[-1] or f"{videos:.0f} videos, {questions:.0f} questions"
    return " or ".join(texts)


def error(cell: Cell, metric: str) -> list[list[float]] | None:
    """Lengths of an error bar below and above the metric, in percent; None without an interval."""
    bounds = [cell.metrics.get(f"{metric}_ci95_{end}") for end in ("low", "high")]
    if None in bounds:
        return None
    # a percentile interval of a skewed sample may leave its own estimate out by a hair
    return [
        [100 * max(0.0, sign * (bound - cell.metrics[metric]))] for sign, bound in zip((-1, 1), bounds, strict=True)
    ]


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Below the panels, in one row if it fits."""
    width = sum(len(handle.get_label()) + 9 for handle in handles)  # a handle with its gaps is as wide as 9 letters
    columns = len(handles) if width <= CHARACTERS else 4
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2, frameon=False)


def save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, facecolor="white")
    return path
