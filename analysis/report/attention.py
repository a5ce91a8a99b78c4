"""Attention in the report: a map of KL per layer and head, and how much of it each frame of a video gets."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from intpv.errors import BadInput

from ..attention_mass_figure import mass_on_frames
from ..figures import TABLES
from ..runs import Cell, kv_rank
from ..style import run_terms
from ..units import percent
from .panels import Panel, Row, make_panel, row_options

MAPS = {  # table in attention_kl.npz -> title, what it is against
    "local/kl/all": ("Attention KL per layer and head", "the same prefix in full precision, a layer alone replaced"),
    "grouped/total": ("Attention KL to the trained length", "the same videos at the trained length, keys by time"),
}
MOST = 6000  # rows of a map: a 7B has 1024 heads, and the page is to stay small
DECADES = 4  # below the largest value that colours tell apart
MASSES = ("end_to_end/mass/modified", "local/mass/modified")  # the first that there is
BARS = 6  # cells


def head_panels(cells: Sequence[Cell], id: str) -> list[Panel]:
    """A map per reference; a value is the mean over the cells that the filters leave."""
    made: list[Panel] = []
    for name, (title, against) in MAPS.items():
        known = [cell for cell in _first_the_furthest(cells) if name in _tables(cell.folder)]
        known = [cell for cell in known if name != "local/kl/all" or cell.kv_quant != "none"]
        shown, rows = _rows(known, name)
        if rows:
            cut = f" {len(shown)} of {len(known)} cells, those with the most frames." if len(shown) < len(known) else ""
            caption = f"Mean over rows and videos, in nat, against {against}; of several cells their mean.{cut}"
            default = {key: rows[0][key] for key in ("rope", "order", "kv", "frames")}
            made.append(make_panel(id, "heads", len(made), title, caption, _map(rows), rows, default, tall=True))
    return made


def _first_the_furthest(cells: Sequence[Cell]) -> list[Cell]:
    """Most frames first, then the fewest bits."""
    done = [run for cell in cells if cell.status == "done" for run in cell.runs]
    return sorted(done, key=lambda cell: (cell.frames, kv_rank(cell.kv_quant)[0]), reverse=True)


def _rows(cells: Sequence[Cell], name: str) -> tuple[list[Cell], list[Row]]:
    """Whole cells as far as MOST rows take them, the first in any case."""
    shown: list[Cell] = []
    rows: list[Row] = []
    for cell in cells:
        table = _tables(cell.folder)[name]
        if shown and len(rows) + table.size > MOST:
            break
        shown.append(cell)
        own = {key: value for key, value in row_options(cell).items() if key in ("rope", "order", "kv", "frames")}
        rows += [
            own | {"layer": layer, "head": head, "y": float(f"{value:.3g}")}
            for (layer, head), value in np.ndenumerate(table)
        ]
    return shown, rows


def _map(rows: Sequence[Row]) -> dict[str, Any]:
    most = max(row["y"] for row in rows)
    scale: dict[str, Any] = {"scheme": "viridis"}
    if most > 0:
        for row in rows:
            row["y"] = max(row["y"], float(f"{most / 10**DECADES:.3g}"))  # a logarithm has no 0
        scale["type"] = "log"
    x: dict[str, Any] = {"field": "head", "type": "ordinal", "axis": {"labelAngle": 0, "labelOverlap": True}}
    y: dict[str, Any] = {"field": "layer", "type": "ordinal", "axis": {"labelOverlap": True}}
    shade = {"field": "y", "aggregate": "mean", "type": "quantitative", "scale": scale, "title": "nat"}
    told = [{"field": "layer"}, {"field": "head"}, {"field": "y", "aggregate": "mean", "title": "nat", "format": ".3g"}]
    height = min(480, 22 * len({row["layer"] for row in rows}))
    return {"mark": "rect", "encoding": {"x": x, "y": y, "color": shade, "tooltip": told}, "height": height}


def attention_over_time(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Of cells with the most frames how attention is spread over them: mean over layers, heads, rows and videos.

    Bars are heights of 0 to 1 of the highest; the run folder holds no single video's.
    """
    known = [(cell, mass) for cell in _first_the_furthest(cells) if (mass := _mass(cell.folder)) is not None]
    most = max((cell.frames for cell, _ in known), default=0)
    full = [one for one in known if one[0].frames == most and one[0].kv_quant == "none"]
    shown = (full or [one for one in known if one[0].frames == most])[:BARS]
    return [
        {
            "name": run_terms(cell.strategy, cell.rearranger, cell.frames, cell.kv_quant),
            "total": percent(mass.sum()),
            "most": percent(mass.max()),
            "at": int(mass.argmax()) + 1,
            "videos": f"{cell.metrics.get('attention_kl/videos', 0):.0f}",
            "bars": [float(f"{value / mass.max():.3f}") for value in mass],
        }
        for cell, mass in shown
        if mass.max() > 0
    ]


def _mass(folder: Path) -> NDArray | None:
    """(F,) of the cell as it ran, its own states in every layer where that was measured."""
    tables = _tables(folder)
    found = next((tables[name] for name in MASSES if name in tables), None)
    return None if found is None else mass_on_frames(found)


@cache
def _tables(folder: Path) -> dict[str, NDArray]:
    """Nothing of a cell that measured no attention. BadInput for a file that cannot be read."""
    file = folder / TABLES
    if not file.exists():
        return {}
    try:
        with np.load(file, allow_pickle=False) as tables:
            return {name: tables[name] for name in (*MAPS, *MASSES) if name in tables}
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise BadInput(f"{file} cannot be read: {str(error).splitlines()[0]}") from None
