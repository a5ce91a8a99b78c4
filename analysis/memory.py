"""Memory of a cell: what its peaks are made of, while watching and while asking, and what the KV prefix is made of."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from intpv.record.figure import Figure

from .panels import COLORS, cell_figure, open_axis, save
from .runs import Cell
from .units import bytes_text

PEAKS = ("watch", "ask")
PREFIX = ("codes", "scales", "zeros", "angles", "exempt", "padding")
FULL = "full precision"


def draw_memory(cell: Cell) -> Figure:
    """Write memory.png; the cell must have measured its peaks."""
    peaks, prefix = _peaks(cell.metrics), _prefix(cell.metrics)
    canvas = cell_figure(cell, "memory", height=5.4)
    left, right = canvas.subplots(1, 2)
    _stack(left, peaks)
    left.set_title(
        "peak, one video and all its questions\n(watch's activations: with the prefix unquantised)", fontsize=11
    )
    _stack(right, prefix)
    right.set_title(f"KV prefix, {cell.metrics['kv/bits_per_element']:.3g} bits per element", fontsize=11)
    path = save(canvas, cell.folder / "memory.png")
    rows = [
        {"bar": bar, "part": part, "bytes": size}
        for bars in (peaks, prefix)
        for bar, parts in bars.items()
        for part, size in parts.items()
    ]
    return Figure("memory", path, rows)


def _peaks(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Their parts add up to memory/{watch,ask}_peak_bytes."""
    loaded = {"weights": metrics["memory/weights_bytes"], "tower": metrics["memory/tower_bytes"]}
    prefix = metrics["memory/held_bytes"] - sum(loaded.values())
    return {
        name: {**loaded, "KV prefix": prefix, "activations": metrics[f"memory/{name}_activations_bytes"]}
        for name in PEAKS
    }


def _prefix(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The second bar's parts add up to kv/bytes."""
    stored = {part: metrics[f"kv/{part}_bytes"] for part in PREFIX if metrics.get(f"kv/{part}_bytes")}
    return {FULL: {FULL: metrics["kv/full_precision_bytes"]}, "as stored": stored}


def _stack(axis: Axes, bars: Mapping[str, Mapping[str, float]]) -> None:
    open_axis(axis)
    parts = list(dict.fromkeys(part for parts in bars.values() for part in parts))
    for index, part in enumerate(parts):
        sizes = [bars[bar].get(part, 0) for bar in bars]
        below = [sum(size for name, size in bars[bar].items() if parts.index(name) < index) for bar in bars]
        colour = COLORS[(index + 1) % len(COLORS)]
        texts = " / ".join(dict.fromkeys(bytes_text(size) for size in sizes if size))
        axis.bar(list(bars), sizes, bottom=below, width=0.6, color=colour, label=f"{part}: {texts}")
    totals = {bar: sum(parts.values()) for bar, parts in bars.items()}
    for place, total in enumerate(totals.values()):
        axis.text(place, total, bytes_text(total), ha="center", va="bottom", fontweight="bold")
    axis.set_ylim(0, 1.1 * max(totals.values()))
    axis.yaxis.set_major_locator(MaxNLocator(6))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda size, _: bytes_text(size)))
    axis.set_xlim(-0.6, len(bars) - 0.4)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)
