"""Attention against time: how much of it each frame gets, of the reference and of the modified model."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from intpv.record.figure import Figure

from .panels import COLORS, GREY, MARKERS, add_legend, cell_figure, open_axis, save
from .runs import Cell

SIDES = ("reference", "modified")
SHOWN = {"reference": "reference (the same prefix unquantised)", "modified": "modified (as the cell stores it)"}
PASSES = ("local", "end_to_end")
KINDS = 3  # groups of keys before the frames: sink, text, question


def draw_attention_mass(cell: Cell, tables: Mapping[str, NDArray]) -> Figure | None:
    """Write attention_mass.png; None without tables of mass."""
    curves = {
        (scope, side): _frames(tables[f"{scope}/mass/{side}"])
        for scope in PASSES
        for side in SIDES
        if f"{scope}/mass/{side}" in tables
    }
    if not curves:
        return None
    scopes = [scope for scope in PASSES if (scope, "reference") in curves]
    canvas = cell_figure(cell, "attention over time", height=6.0)
    share, change = canvas.subplots(2, len(scopes), sharex=True, sharey="row", squeeze=False, height_ratios=(2, 1))
    for column, scope in enumerate(scopes):
        reference, modified = (100 * curves[scope, side] for side in SIDES)
        _draw(share[column], change[column], reference, modified)
        totals = f"reference {reference.sum():.1f} %, modified {modified.sum():.1f} %"
        share[column].set_title(f"{scope.replace('_', ' ')}; all frames: {totals}", fontsize=11)
    share[0].set_ylabel("attention on a frame in %\n(mean over layers, heads, rows)")
    change[0].set_ylabel("change in\npercentage points")
    add_legend(canvas, share[0].get_legend_handles_labels()[0])
    rows = [
        {"frame": index + 1, **{f"{scope} {side}": float(curve[index]) for (scope, side), curve in curves.items()}}
        for index in range(len(curves[scopes[0], "reference"]))
    ]
    return Figure("attention_mass", save(canvas, cell.folder / "attention_mass.png"), rows)


def _draw(share: Axes, change: Axes, reference: NDArray, modified: NDArray) -> None:
    frames = range(1, len(reference) + 1)
    for index, (side, mass) in enumerate(zip(SIDES, (reference, modified), strict=True)):
        style = {"color": COLORS[index], "marker": MARKERS[index], "linestyle": ("-", "--")[index]}
        share.plot(frames, mass, label=SHOWN[side], markersize=4, **style)
    change.bar(frames, modified - reference, color=COLORS[1])
    change.axhline(0, color=GREY, linewidth=1)
    change.set_xlabel("frame (or slot of frames), in order of time")
    change.set_xlim(0.3, len(reference) + 0.7)
    change.xaxis.set_major_locator(MaxNLocator(integer=True))
    share.set_ylim(bottom=0)
    for axis in (share, change):
        open_axis(axis)


def _frames(table: NDArray) -> NDArray:
    """(F,) from (L, H, G); fewer where a tower makes one slot of several frames."""
    return table.mean((0, 1))[KINDS:]
