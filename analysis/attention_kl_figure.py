"""Attention KL per layer and head: a panel per reference, pass and set of keys, all in the same colours."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from intpv.logger.mirror import Figure

from .page import CHARACTERS, COLUMNS, PANEL, cell_figure, label_axes, log_ticks, save, styled, wrapped
from .runs import Cell

PANELS = {  # table in attention_kl.npz -> title
    "local/kl/all": "local (this layer's cache alone replaced), all keys",
    "end_to_end/kl/all": "end to end (each model its own states), all keys",
    "local/kl/video": "local, video keys",
    "end_to_end/kl/video": "end to end, video keys",
    "grouped/total": "to the trained length, keys grouped by time",
    "grouped/within_video": "to the trained length, within the video",
}
UNQUANTISED = "the same prefix unquantised"
REFERENCES = {"local": UNQUANTISED, "end_to_end": UNQUANTISED, "grouped": "the trained length"}  # of a panel's pass
WRITTEN = 5  # heads of a layer up to which a number fits into each
DECADES = 4  # below the largest value that colours tell apart


@styled
def draw_attention_kl(cell: Cell, tables: Mapping[str, NDArray]) -> Figure | None:
    """Write attention_kl.png; None without a table."""
    shown = {name: tables[name] for name in PANELS if name in tables}
    if not shown:
        return None
    rows = -(-len(shown) // COLUMNS)
    to = dict.fromkeys(REFERENCES[name.partition("/")[0]] for name in shown)
    canvas = cell_figure(cell, f"attention KL to {' and to '.join(to)}", height=0.4 + PANEL * rows)
    axes = canvas.subplots(rows, COLUMNS, squeeze=False)
    norm = _norm(np.concatenate([table.flatten() for table in shown.values()]))
    for axis, (name, table) in zip(axes.flat, shown.items(), strict=False):
        image = _draw(axis, table, norm)
        axis.set_title(wrapped(PANELS[name], CHARACTERS // COLUMNS - 2))
    label_axes(dict(zip(shown, axes.flat, strict=False)), "head", "layer")
    for axis in axes.flat[len(shown) :]:
        axis.remove()
    used = list(axes.flat[: len(shown)])
    bar = canvas.colorbar(image, ax=used, location="bottom", aspect=40, label="mean KL (nats)")
    ticks = list(bar.get_ticks())
    if isinstance(norm, LogNorm) and norm.vmin and norm.vmax:
        ticks = log_ticks(norm.vmin, norm.vmax)
    bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
    bar.minorticks_off()
    return Figure("attention_kl", save(canvas, cell.folder / "attention_kl.png"), _rows(shown))


def _draw(axis: Axes, table: NDArray, norm: Normalize) -> AxesImage:
    image = axis.imshow(table, norm=norm, cmap="viridis", aspect="auto", interpolation="nearest")
    layers, heads = table.shape
    axis.set_xticks(_ticks(heads))
    axis.set_yticks(_ticks(layers))
    if heads <= WRITTEN and layers <= 2 * WRITTEN:
        for (layer, head), value in np.ndenumerate(table):
            colour = "white" if norm(value) < 0.6 else "black"
            axis.text(head, layer, f"{value:.2g}", ha="center", va="center", color=colour, fontsize=6)
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
