"""Page: figures as wide as a column of a paper, so that letters are printed at their size here; as PNG and as PDF."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log2, log10
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.style import context
from matplotlib.ticker import MaxNLocator

from intpv.escape import figure_text, printable

from .runs import Cell
from .score_columns import prefix, regimes
from .style import GREY, run_terms
from .units import bytes_text

WIDTH, DPI = 3.2, 375  # inches, and dots per inch of the PNG: 1200 px
PANEL = 1.6  # inches, the height of a panel
COLUMNS = 2  # of panels
LINE = 0.13  # inches, the height of a line of text
CHARACTERS = 58  # of a line across the figure
STYLE = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "figure.titlesize": 7,
    "figure.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2,
    "legend.columnspacing": 1,
    "legend.labelspacing": 0.3,
    "legend.handletextpad": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "lines.markeredgewidth": 0.8,
    "axes.linewidth": 0.6,
    "axes.titlepad": 3,
    "axes.labelpad": 2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # TrueType: letters stay letters, and publishers take no type 3
}
styled = context(("default", STYLE))  # decorates what draws, whatever the user's matplotlibrc says


def page(height: float) -> Figure:
    """Empty, of a column's width; height in inches."""
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def panels(cells: Sequence[Cell]) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel per regime, two beside each other; they share the y axis."""
    found = regimes(cells)
    rows = ceil(len(found) / COLUMNS)
    figure = page(PANEL * rows + LINE)
    axes = list(figure.subplots(rows, min(len(found), COLUMNS), sharey=True, squeeze=False).flat)
    for axis in axes[len(found) :]:
        axis.remove()
    shown = dict(zip(found, axes, strict=False))
    for axis in shown.values():
        open_axis(axis)
    return figure, shown


def label_axes(axes: Mapping[str, Axes], x: str, y: str) -> None:
    """Once for each column and row of panels."""
    found = list(axes.values())
    for axis in found[-COLUMNS:]:
        axis.set_xlabel(x)
    for axis in found[::COLUMNS]:
        axis.set_ylabel(y)


def open_axis(axis: Axes, across: Literal["x", "y"] = "y") -> None:
    """No frame above and to the right, faint lines behind."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis=across, color="#E5E5E5", linewidth=0.5)
    axis.set_axisbelow(True)


def cell_figure(cell: Cell, what: str, height: float) -> Figure:
    """Of one cell: what is shown, of which model on which test set, and below it how it was run; height in inches."""
    figure = page(height)
    asked = f"{cell.model} model on {cell.data}, {size([cell], '')}"
    set_title(figure, what, asked, run_terms(cell.strategy, cell.rearranger, cell.frames, cell.kv_quant))
    return figure


def set_title(figure: Figure, *parts: str) -> None:
    """Above the figure, each part on lines of its own; the figure grows by them."""
    title = "\n".join(wrapped(part) for part in parts if part)
    figure.suptitle(title)
    figure.set_figheight(figure.get_figheight() + LINE * len(title.split("\n")))


def set_titles(figure: Figure, axes: dict[str, Axes], cells: Sequence[Cell], *what: str) -> None:
    """Model, test set and `what` above the figure, and how much was asked: above it if the same in every panel."""
    sizes = {regime: size(cells, regime) for regime in axes}
    each = set(sizes.values())
    model, data = (" + ".join(sorted({getattr(cell, key) for cell in cells})) for key in ("model", "data"))
    common = f"{each.pop()}{' each panel' * (len(axes) > 1)}" if len(each) == 1 else ""
    set_title(figure, ", ".join((f"{model} model on {data}", *what)), common)
    for regime, axis in axes.items():
        title = ", ".join(filter(None, (regime, "" if common else sizes[regime])))
        axis.set_title(wrapped(title, CHARACTERS // min(len(axes), COLUMNS) - 3))
    lines = max(axis.get_title().count("\n") for axis in axes.values()) * ceil(len(axes) / COLUMNS)
    figure.set_figheight(figure.get_figheight() + LINE * lines)


def size(cells: Sequence[Cell], regime: str) -> str:
    """60 videos × 10 questions, or both totals where videos have different numbers of questions, or their ranges."""
    counts = {tuple(cell.metrics.get(prefix(regime) + name, 0) for name in ("videos", "questions")) for cell in cells}
    if len(counts) > 2:
        ends = ((f"{min(many):.0f}", f"{max(many):.0f}") for many in zip(*counts, strict=True))
        videos, questions = (" to ".join(dict.fromkeys(pair)) for pair in ends)
        return f"{videos} videos, {questions} questions"
    return " or ".join(_asked(*pair) for pair in sorted(counts))


def _asked(videos: float, questions: float) -> str:
    whole = videos and questions % videos == 0
    return (
        f"{videos:.0f} videos × {questions / videos:.0f} questions"
        if whole
        else (f"{videos:.0f} videos, {questions:.0f} questions")
    )


def wrapped(text: str, characters: int = CHARACTERS) -> str:
    """On lines of at most so many characters, for matplotlib."""
    return "\n".join(figure_text(line) for line in wrap(printable(text), characters))


def frames_axis(axis: Axes, frames: Iterable[int]) -> None:
    """Logarithmic, from the power of two below the fewest frames to the one above the most, as many told as fit."""
    counts = sorted(frames)
    powers = range(floor(log2(counts[0])), ceil(log2(counts[-1])) + 1)
    steps = (powers[::step] for step in range(1, len(powers) + 1))
    told = next(some for some in steps if sum(len(str(2**power)) + 2 for power in some) <= 24 or len(some) == 1)
    axis.set_xscale("log", base=2)
    axis.set_xticks([2**power for power in told], [str(2**power) for power in told])
    axis.minorticks_off()
    axis.set_xlim(2 ** (powers[0] - 0.3), 2 ** (powers[-1] + 0.3))


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers on a logarithmic axis, as dense as they can be told."""
    for digits in ((1, 2, 5), (1, 3), (1,)):
        powers = range(floor(log10(low)), ceil(log10(high)) + 1)
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks[:: ceil(len(ticks) / most)] if len(ticks) > 1 else list(MaxNLocator(3).tick_values(low, high))


def draw_band(axis: Axes, cells: Sequence[Cell], x: Sequence[float], metric: str, color: str) -> None:
    """The 95 % intervals behind a line, in percent; a bar where there is one alone."""
    ends = [(cell.metrics.get(f"{metric}_ci95_low"), cell.metrics.get(f"{metric}_ci95_high")) for cell in cells]
    known = [
        (at, 100 * low, 100 * high)
        for at, (low, high) in zip(x, ends, strict=True)
        if low is not None and high is not None
    ]
    if len(known) > 1:
        places, lows, highs = zip(*known, strict=True)
        axis.fill_between(places, lows, highs, color=color, alpha=0.16, linewidth=0)
    for at, low, high in known if len(known) == 1 else ():
        axis.vlines(at, low, high, color=color, alpha=0.5, linewidth=1)


def band_handles(figure: Figure) -> list[Patch]:
    """For a legend, where any interval was drawn."""
    drawn = any(axis.collections for axis in figure.axes)
    return [Patch(facecolor=GREY, alpha=0.3, linewidth=0, label="95 % CI over videos")] if drawn else []


def mark_handle(label: str, marker: Any, **style: Any) -> Line2D:
    """A marker without a line, for a legend."""
    return Line2D([], [], linestyle="", marker=marker, label=label, **({"color": GREY} | style))


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Below the panels, in as many columns as fit; the figure grows by it."""
    for handle in handles:
        handle.set_label(wrapped(str(handle.get_label()), CHARACTERS - 8))
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns)
        extent = legend.get_window_extent()
        if extent.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + extent.height / figure.dpi)


def byte_unit(most: float) -> tuple[float, str]:
    """Of an axis up to so many bytes: 12345 -> (1000.0, "kB")."""
    unit = bytes_text(most).split()[1]
    return 1000.0 ** ("B", "kB", "MB", "GB", "TB").index(unit), unit


def save(figure: Figure, path: Path) -> Path:
    """The PNG at `path`, and beside it the same as PDF; neither holds a date, so that the same data gives the same."""
    figure.savefig(path)
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    return path
