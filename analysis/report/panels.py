"""Panels of the report: Vega-Lite specifications with their rows, a panel per regime, kind of question or KV level."""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.metrics.paired import paired_difference
from intpv.metrics.sample import groups

from ..page import size
from ..pairs import baseline, paired_lines, partners
from ..runs import Cell
from ..score_columns import prefix, regimes
from ..style import looks, strategy_term

Panel = dict[str, Any]  # id, group, title, caption, spec, rows, and the filters that hold until others are chosen
Row = dict[str, Any]
SHAPES = {"o": "circle", "s": "square", "D": "diamond", "v": "triangle-down", "^": "triangle-up", "P": "cross"}
OTHER_SHAPES = ("triangle-right", "triangle-left", "stroke", "arrow", "wedge")
DASHES = [[7, 3], [2, 3], [1, 0]]  # of references; the last is the baseline's
MARGIN = 2  # points that count as none
FULL = {"kv": "none"}


def panels_of_sweep(cells: Sequence[Cell], id: str, colors: Mapping[str, str]) -> list[Panel]:
    """Those for which the sweep has figures. Colours are CSS variables, so that light and dark paper have their own."""
    done = [cell for cell in cells if cell.status == "done" and "accuracy" in cell.metrics]
    scales = _scales(done, colors)
    return [
        *_accuracy(done, id, scales),
        *_kinds(done, id, scales),
        *_kv(done, id, scales),
        *_distances(done, id, scales),
    ]


def _accuracy(cells: Sequence[Cell], id: str, scales: dict[str, Any]) -> list[Panel]:
    base = baseline(cells)
    made = []
    for place, regime in enumerate(regimes(cells)):
        start = prefix(regime)
        rows = [_row(cell, cell.frames, cell.metrics, f"{start}accuracy", 100) for cell in cells]
        bounded = any(f"{start}blind" in cell.metrics for cell in cells)
        floor = ("blind", "blind guess") if bounded else ("majority_floor", "always one answer")
        references = [_reference(cells, start + name, label) for name, label in (("ceiling", "ceiling"), floor)]
        lines = [line for some in references for line in some]
        if base and f"{start}accuracy" in base.metrics:
            level = 100 * base.metrics[f"{start}accuracy"]
            frames = {cell.frames for cell in cells}
            lines += [{"x": count, "y": level, "of": f"baseline, {base.frames} frames"} for count in sorted(frames)]
        spec = _lines(scales, "frames per video", "accuracy (%)", {"domain": [0, 100]}, lines)
        title = f"Accuracy against frames{f', {regime} videos' if regime else ''}"
        caption = (
            f"{size(cells, regime)}. Bars: 95 %, bootstrap over videos. In full precision unless a KV is chosen above."
        )
        made.append(make_panel(id, "accuracy", place, title, caption, spec, _known(rows), FULL))
    return made


def _reference(cells: Sequence[Cell], metric: str, label: str) -> list[Row]:
    levels = {cell.frames: 100 * cell.metrics[metric] for cell in cells if metric in cell.metrics}
    return [{"x": frames, "y": level, "of": label} for frames, level in sorted(levels.items())]


def _kinds(cells: Sequence[Cell], id: str, scales: dict[str, Any]) -> list[Panel]:
    """Differences to the baseline by kind of question, with their intervals."""
    read, rows, frames = cache(Cell.samples), list[Row](), set[int]()
    for cell in (cell for cell in cells if cell.kv_quant == "none"):
        if (base := baseline(cells, cell)) is None or cell is base:
            continue
        frames.add(base.frames)
        ours, theirs = (groups(s, itemgetter("kind")) for s in paired_lines(read, partners(cell, base)))
        for kind in ours.keys() & theirs.keys():
            try:
                found = paired_difference(ours[kind], theirs[kind])
            except BadInput:
                continue
            low, high = found.ci95_low, found.ci95_high
            if low is None or high is None:
                low, high = found.low, found.high
            ends = {"y": 100 * found.mean, "low": 100 * low, "high": 100 * high}
            rows.append(row_options(cell) | {"kind": printable(kind)} | ends)
    if not rows:
        return []
    most = str(max(cell.frames for cell in cells))
    spec = _forest(scales, len({row["kind"] for row in rows}))
    title = f"By kind of question, against the baseline's {' or '.join(map(str, sorted(frames)))} frames"
    caption = (
        f"Accuracy in points on the same questions; bars: 95 %. Grey: {MARGIN} points on either side. At {most} frames "
        f"unless others are chosen above."
    )
    return [make_panel(id, "kinds", 0, title, caption, spec, rows, FULL | {"frames": most}, tall=True)]


def _kv(cells: Sequence[Cell], id: str, scales: dict[str, Any]) -> list[Panel]:
    known = [cell for cell in cells if cell.metrics.get("kv/bytes")]
    if len({cell.kv_quant for cell in known}) < 2:
        return []
    rows = _known([_row(cell, cell.metrics["kv/bytes"], cell.metrics, "accuracy", 100) for cell in known])
    best = -1.0
    for row in sorted(rows, key=lambda row: (row["x"], -row["y"])):
        row["front"] = row["y"] > best
        best = max(best, row["y"])
    x: dict[str, Any] = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "bytes of the KV prefix",
    }
    x |= {"axis": {"format": "~s", "grid": False}}
    y: dict[str, Any] = {"field": "y", "type": "quantitative", "title": "accuracy (%)", "scale": {"zero": False}}
    front = {
        "transform": [{"filter": "datum.front"}],
        "mark": {"type": "line", "color": "currentColor", "opacity": 0.5, "strokeDash": [4, 3]},
        "encoding": {"x": x, "y": y},
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 50, "opacity": 0.85},
        "encoding": {"x": x, "y": y, "tooltip": _tooltip("bytes")} | scales,
    }
    caption = "All questions. Dashed: what no cell of fewer bytes beats, by point estimates, which owe a part to luck."
    return [
        make_panel(
            id, "kv", 0, "Accuracy against bytes of the KV prefix", caption, {"layer": [front, points]}, rows, {}
        )
    ]


def _distances(cells: Sequence[Cell], id: str, scales: dict[str, Any]) -> list[Panel]:
    """Attention KL of quantisation: curves of each KV level, and all levels as a heatmap."""
    name = "attention_kl/local/all/mean"
    measured = [cell for cell in cells if cell.kv_quant != "none" and cell.metrics.get(name)]
    made = []
    for place, level in enumerate(dict.fromkeys(cell.kv_quant for cell in measured)):
        rows = [_row(cell, cell.frames, cell.metrics, name, 1) for cell in measured if cell.kv_quant == level]
        spec = _lines(scales, "frames per video", "attention KL (nat)", {"type": "log"}, [])
        caption = "Mean over heads and videos, a layer alone, against the same rotation in full precision; bars: 95 %."
        made.append(make_panel(id, "kl", place, f"Attention KL, {level}", caption, spec, _known(rows), {}))
    if len(measured) > 1:
        rows = [_row(cell, cell.frames, cell.metrics, name, 1) for cell in measured]
        rows = [row | {"kind": f"{row['term']} · {row['kv']}"} for row in rows]
        x: dict[str, Any] = {"field": "x", "type": "ordinal", "title": "frames per video", "axis": {"labelAngle": 0}}
        y: dict[str, Any] = {
            "field": "kind",
            "type": "nominal",
            "title": None,
            "sort": None,
            "axis": {"labelLimit": 220},
        }
        shade = {"field": "y", "type": "quantitative", "scale": {"type": "log", "scheme": "viridis"}, "title": "nat"}
        encoding = {"x": x, "y": y, "color": shade, "tooltip": _tooltip("frames")}
        spec = {"mark": "rect", "encoding": encoding, "height": 18 * len({row["kind"] for row in rows})}
        made.append(make_panel(id, "kl", len(made), "Attention KL, all cells", "In nat.", spec, rows, {}, tall=True))
    return made


def _lines(
    scales: dict[str, Any], x_title: str, y_title: str, scale: Mapping, references: Sequence[Row]
) -> dict[str, Any]:
    """A line per strategy and order with bars of its interval, beside each other, and grey references behind."""
    x: dict[str, Any] = {"field": "x", "type": "ordinal", "title": x_title, "axis": {"labelAngle": 0}}
    x["scale"] = {"type": "band", "paddingInner": 0.7, "paddingOuter": 0.3}  # strategies stand close to their number
    y: dict[str, Any] = {"field": "y", "type": "quantitative", "title": y_title, "scale": scale}
    apart = {"xOffset": {"field": "rope", "type": "nominal"}}
    own: dict[str, Any] = {"x": x, "y": y, "color": scales["color"]}
    bars: dict[str, Any] = {
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": own | apart | {"y": y | {"field": "low"}},
    }
    bars["encoding"]["y2"] = {"field": "high"}
    lines: dict[str, Any] = {"mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.6}, "encoding": own | apart}
    lines["encoding"]["detail"] = [{"field": "order"}, {"field": "kv"}]
    points = {
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
        "encoding": own | apart | {"shape": scales["shape"], "tooltip": _tooltip("frames")},
    }
    layers: list[dict[str, Any]] = [bars, lines, points]
    if references:
        names = list(dict.fromkeys(one["of"] for one in references))
        dash: dict[str, Any] = {
            "field": "of",
            "type": "nominal",
            "scale": {"domain": names, "range": DASHES[-len(names) :]},
        }
        dash |= {"legend": {"title": None, "orient": "bottom", "symbolType": "stroke", "symbolSize": 250, "columns": 2}}
        mark = {"type": "line", "color": "currentColor", "opacity": 0.6, "strokeWidth": 1.2}
        layers.insert(
            0,
            {"data": {"values": list(references)}, "mark": mark, "encoding": {"x": x, "y": y, "strokeDash": dash}},
        )
    return {"layer": layers}


def _forest(scales: dict[str, Any], kinds: int) -> dict[str, Any]:
    y: dict[str, Any] = {"field": "kind", "type": "nominal", "title": None, "axis": {"labelLimit": 140, "grid": True}}
    x: dict[str, Any] = {"field": "y", "type": "quantitative", "title": "difference (points)"}
    apart = {"yOffset": {"field": "rope", "type": "nominal"}}
    own: dict[str, Any] = {"y": y, "color": scales["color"]} | apart
    band = {
        "data": {"values": [{"from": -MARGIN, "to": MARGIN}]},
        "mark": {"type": "rect", "color": "currentColor", "opacity": 0.1},
        "encoding": {"x": {"field": "from", "type": "quantitative"}, "x2": {"field": "to"}},
    }
    bars: dict[str, Any] = {"mark": {"type": "rule", "strokeWidth": 1.5}, "encoding": own | {"x": x | {"field": "low"}}}
    bars["encoding"]["x2"] = {"field": "high"}
    points = {
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
        "encoding": own | {"x": x, "shape": scales["shape"], "tooltip": _tooltip("kind")},
    }
    return {"layer": [band, bars, points], "height": 60 * kinds}


def _scales(cells: Sequence[Cell], colors: Mapping[str, str]) -> dict[str, Any]:
    names = list(dict.fromkeys(cell.strategy for cell in cells))
    markers = [look.marker for look in (looks(colors)[name] for name in names)]
    shapes = [SHAPES.get(marker, OTHER_SHAPES[place % len(OTHER_SHAPES)]) for place, marker in enumerate(markers)]
    shown = [printable(name) for name in names]
    color = {"domain": shown, "range": [colors[name] for name in names]}
    rope = {"field": "rope", "type": "nominal", "legend": None}
    return {"color": rope | {"scale": color}, "shape": rope | {"scale": {"domain": shown, "range": shapes}}}


def row_options(cell: Cell) -> Row:
    """What rows are filtered by, and what is shown of the cell."""
    shown = {"term": strategy_term(cell.strategy), "rope": cell.strategy, "order": cell.rearranger, "kv": cell.kv_quant}
    return {name: printable(text) for name, text in shown.items()} | {"frames": str(cell.frames), "status": cell.status}


def _row(cell: Cell, x: float, metrics: Mapping[str, float], metric: str, unit: float) -> Row:
    ends = {"y": metric, "low": f"{metric}_ci95_low", "high": f"{metric}_ci95_high"}
    values = {name: unit * metrics[key] for name, key in ends.items() if key in metrics}
    return row_options(cell) | {"x": x} | {name: float(f"{value:.4g}") for name, value in values.items()}


def _known(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "y" in row]


def _tooltip(x: str) -> list[dict[str, str]]:
    names = {
        "term": "RoPE",
        "order": "order",
        "frames": "frames",
        "kv": "KV",
        "y": "value",
        "low": "from",
        "high": "to",
    }
    if x == "kind":
        names = {"kind": "kind"} | names
    if x == "bytes":
        names |= {"x": "bytes"}
    return [{"field": field, "title": title} for field, title in names.items()]


def make_panel(
    id: str, group: str, place: int, title: str, caption: str, spec: Mapping, rows: Sequence[Row], default: Mapping, *,
    tall: bool = False,
) -> Panel:  # fmt: skip
    named = f"{id}-{group}" + (f"-{place}" if place else "")
    spec = {"width": "container", "height": 240, **spec, "data": {"name": "rows"}}
    return {
        **{"id": named, "group": group, "title": printable(title), "caption": printable(caption), "tall": tall},
        **{"spec": spec, "rows": list(rows), "default": dict(default)},
    }
