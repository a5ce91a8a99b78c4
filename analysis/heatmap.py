"""Attention KL per layer and head: a panel per reference, pass and set of keys, all in the same colours."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from intpv.record.figure import Figure

from .panels import cell_figure, save
from .runs import Cell

PANELS = {  # table in attention_kl.npz -> title
    "local/kl/all": "local (this layer's cache alone replaced), all keys",
    "end_to_end/kl/all": "end to end (each model its own states), all keys",
    "local/kl/video": "local, video keys alone",
    "end_to_end/kl/video": "end to end, video keys alone",
    "grouped/total": "to the trained length, keys grouped by time",
    "grouped/within_video": "to the trained length, within the video",
}
UNQUANTISED = "the same prefix unquantised"
REFERENCES = {"local": UNQUANTISED, "end_to_end": UNQUANTISED, "grouped": "the trained length"}  # of a panel's pass
WRITTEN = 64  # heads up to which each has its number written in it
DECADES = 4  # below the largest value that colours tell apart


def draw_attention_kl(cell: Cell, tables: Mapping[str, NDArray]) -> Figure | None:
    """Write attention_kl.png; None without a table."""
    shown = {name: tables[name] for name in PANELS if name in tables}
    if not shown:
        return None
    rows = -(-len(shown) // 2)
    to = dict.fromkeys(REFERENCES[name.partition("/")[0]] for name in shown)
    canvas = cell_figure(cell, f"attention KL to {' and to '.join(to)}", height=1 + 4.2 * rows)
    axes = canvas.subplots(rows, 2, squeeze=False)
    norm = _norm(np.concatenate([table.flatten() for table in shown.values()]))
    for axis, (name, table) in zip(axes.flat, shown.items(), strict=False):
        image = _draw(axis, table, norm)
        axis.set_title(PANELS[name], fontsize=11)
    for axis in axes.flat[len(shown) :]:
        axis.remove()
    used = list(axes.flat[: len(shown)])
    bar = canvas.colorbar(image, ax=used, pad=0.02, aspect=30, label="mean KL in nats, all panels")
    if isinstance(norm, LogNorm):
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda nats, _: f"{nats:.3g}"))
    return Figure("attention_kl", save(canvas, cell.folder / "attention_kl.png"), _rows(shown))


def _draw(axis: Axes, table: NDArray, norm: Normalize) -> AxesImage:
    image = axis.imshow(table, norm=norm, cmap="viridis", aspect="auto", interpolation="nearest")
    layers, heads = table.shape
    axis.set_xlabel("head")
    axis.set_ylabel("layer")
    axis.set_xticks(_ticks(heads))
    axis.set_yticks(_ticks(layers))
    if table.size <= WRITTEN:
        for (layer, head), value in np.ndenumerate(table):
            colour = "white" if norm(value) < 0.6 else "black"
            axis.text(head, layer, f"{value:.2g}", ha="center", va="center", color=colour, fontsize=11)
    return image


def _norm(values: NDArray) -> Normalize:
    """Logarithmic over what is at most DECADES below the largest; linear where nothing, or one value, is there."""
    most = float(values.max())
    positive = values[values > 0]
    least = max(float(positive.min()), most / 10**DECADES) if positive.size else 0.0
    return LogNorm(least, most, clip=True) if 0 < least < most else Normalize(0, max(most, 1e-12))


def _ticks(count: int) -> range:
    """At most nine, from 0."""
    return range(0, count, -(-count // 9))


def _rows(tables: Mapping[str, NDArray]) -> list[dict]:
    """A row per (layer, head), a column per panel, in nats."""
    layers, heads = next(iter(tables.values())).shape
    return [
        {"layer": layer, "head": head, **{name: float(table[layer, head]) for name, table in tables.items()}}
        for layer in range(layers)
        for head in range(heads)
    ]
