"""Attention against time: how much of it each frame gets, of the reference and of the modified model."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from intpv.logger.mirror import Figure

from .page import add_legend, cell_figure, open_axis, save, styled
from .runs import Cell
from .style import GREY, Look, looks

SIDES = ("reference", "modified")
SHOWN = {"reference": "reference (the same prefix unquantised)", "modified": "modified (as the cell stores it)"}
PASSES = ("local", "end_to_end")
MARKED = 64  # frames up to which each has its mark
KINDS = 3  # groups of keys before the frames: sink, text, question


@styled
def draw_attention_mass(cell: Cell, tables: Mapping[str, NDArray]) -> Figure | None:
    """Write attention_mass.png; None without tables of mass."""
    curves = {
        (scope, side): mass_on_frames(tables[f"{scope}/mass/{side}"])
        for scope in PASSES
        for side in SIDES
        if f"{scope}/mass/{side}" in tables
    }
    if not curves:
        return None
    scopes = [scope for scope in PASSES if (scope, "reference") in curves]
    canvas = cell_figure(cell, "attention over time, mean over layers, heads and rows", height=2.5)
    share, change = canvas.subplots(2, len(scopes), sharex=True, sharey="row", squeeze=False, height_ratios=(2, 1))
    for column, scope in enumerate(scopes):
        reference, modified = (100 * curves[scope, side] for side in SIDES)
        _draw(share[column], change[column], reference, modified, looks([cell.strategy])[cell.strategy])
        share[column].set_title(
            f"{scope.replace('_', ' ')}\nall frames: {reference.sum():.1f} → {modified.sum():.1f} %"
        )
        change[column].set_xlabel("frame (or slot of frames)")
    share[0].set_ylim(bottom=0)  # once all is drawn: it ends autoscaling
    share[0].set_ylabel("attention on a frame (%)")
    change[0].set_ylabel("change\n(points)")
    add_legend(canvas, share[0].get_legend_handles_labels()[0])
    rows = [
        {"frame": index + 1, **{f"{scope} {side}": float(curve[index]) for (scope, side), curve in curves.items()}}
        for index in range(len(curves[scopes[0], "reference"]))
    ]
    return Figure("attention_mass", save(canvas, cell.folder / "attention_mass.png"), rows)


def _draw(share: Axes, change: Axes, reference: NDArray, modified: NDArray, look: Look) -> None:
    frames = range(1, len(reference) + 1)
    marks: dict[str, Any] = {"marker": look.marker, "markersize": 2, "markevery": 1 + len(frames) // MARKED}
    share.plot(frames, reference, "--", label=SHOWN["reference"], color=GREY, linewidth=0.8, zorder=3)
    share.plot(frames, modified, label=SHOWN["modified"], color=look.color, **marks)
    change.bar(frames, modified - reference, color=look.color)
    change.axhline(0, color=GREY, linewidth=0.6)
    change.set_xlim(0.3, len(reference) + 0.7)
    change.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for axis in (share, change):
        open_axis(axis)


def mass_on_frames(table: NDArray) -> NDArray:
    """(F,) from (L, H, G); fewer where a tower makes one slot of several frames."""
    return table.mean((0, 1))[KINDS:]
