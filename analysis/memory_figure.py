"""Memory of a cell: what its peaks are made of, while watching and while asking, and what the KV prefix is made of."""

from collections.abc import Mapping

from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator

from intpv.logger.mirror import Figure, Value

from .page import byte_unit, cell_figure, open_axis, save, styled
from .runs import Cell
from .units import bytes_text

PEAKS = ("watch", "ask")
PREFIX = ("codes", "scales", "zeros", "angles", "exempt", "padding")
FULL = "full precision"
COLORS = {  # Tol's light scheme: told apart with every colour blindness, and no strategy's
    "weights": "#77AADD",
    "tower": "#99DDFF",
    "KV prefix": "#44BB99",
    "activations": "#EEDD88",
    FULL: "#44BB99",
    "codes": "#BBCC33",
    "scales": "#EE8866",
    "zeros": "#FFAABB",
    "angles": "#AAAA00",
    "exempt": "#DDDDDD",
    "padding": "#FFFFFF",
}


@styled
def draw_memory(cell: Cell) -> Figure:
    """Write memory.png; the cell must have measured its peaks."""
    peaks, prefix = _peaks(cell.metrics), _prefix(cell.metrics)
    canvas = cell_figure(cell, "memory", height=3.6)
    upper, lower = canvas.subfigures(2, 1, squeeze=False).flat
    title = "peak of one video with all its questions\n(watch's activations: with the prefix unquantised)"
    _stack(upper, title, peaks)
    _stack(lower, f"KV prefix, {cell.metrics['kv/bits_per_element']:.3g} bits per element", prefix)
    path = save(canvas, cell.folder / "memory.png")
    rows: list[dict[str, Value]] = [
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


def _stack(figure: SubFigure, title: str, bars: Mapping[str, Mapping[str, float]]) -> None:
    """A bar below the other, each with its total, and below both what the parts are."""
    axis = figure.subplots()
    axis.set_title(title)
    open_axis(axis, across="x")
    totals = {bar: sum(parts.values()) for bar, parts in bars.items()}
    unit, name = byte_unit(max(totals.values()))
    parts = list(dict.fromkeys(part for parts in bars.values() for part in parts))
    for index, part in enumerate(parts):
        sizes = [bars[bar].get(part, 0) for bar in bars]
        before = [sum(size for name, size in bars[bar].items() if parts.index(name) < index) / unit for bar in bars]
        texts = " / ".join(dict.fromkeys(bytes_text(size) for size in sizes if size))
        axis.barh(
            list(bars),
            [size / unit for size in sizes],
            left=before,
            height=0.65,
            color=COLORS[part],
            edgecolor="black",
            linewidth=0.3,
            label=f"{part}: {texts}",
        )
    for place, total in enumerate(totals.values()):
        axis.text(total / unit, place, f" {bytes_text(total)}", va="center", fontweight="bold", fontsize=6.5)
    axis.set_xlim(0, 1.25 * max(totals.values()) / unit)  # room for the total
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.invert_yaxis()
    axis.set_xlabel(f"memory ({name})")
    figure.legend(loc="outside lower center", ncols=2)
