"""What a mirror shows of a sweep: a row per cell, and accuracy and attention KL against frames."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from intpv.logger.mirror import Curve, safe

from .runs import GROUPS, SEEDS, Cell, kv_rank
from .score_columns import prefix, regimes
from .seeds import over_seeds


def rows(cells: Sequence[Cell]) -> list[dict[str, str | float | None]]:
    """Choices, frames, status and every metric; all rows have the same columns, None where a cell lacks a metric."""
    metrics = sorted({name for cell in cells for name in cell.metrics} - {"frames"})
    return [
        {"cell": cell.name}
        | {group: getattr(cell, group) for group in GROUPS}
        | {"variant": cell.variant, **{key: dict(cell.seeds).get(key) for key in SEEDS}}
        | {"frames": cell.frames, "status": cell.status, "reason": cell.reason}
        | {name: cell.metrics.get(name) for name in metrics}
        for cell in cells
    ]


def curves(cells: Sequence[Cell]) -> list[Curve]:
    """Per regime: one curve with a line per strategy in full precision, and for each strategy that was run at several
    KV levels one with a line per level; where attention KL was measured, one per strategy with a line per level. A
    curve for which nothing is done is left out. Over seeds it shows the mean."""
    cells = over_seeds(cells)
    several = len({cell.rearranger for cell in cells}) > 1

    def label(cell: Cell) -> str:
        return f"{cell.strategy}, {cell.rearranger}" if several else cell.strategy

    done = sorted(
        (cell for cell in cells if cell.status == "done"), key=lambda cell: (cell.rope_strategy != "none", label(cell))
    )
    found = []
    for regime in regimes(cells):
        metric, where = f"{prefix(regime)}accuracy", regime or "all"
        known = [cell for cell in done if metric in cell.metrics]
        full = [cell for cell in known if cell.kv_quant == "none"]
        if full:
            lines = {name: _line(line, metric) for name, line in groupby(full, label)}
            title = f"accuracy against frames per strategy, {where}, kv none"
            found.append(Curve(f"accuracy_{safe(where)}_by_strategy", title, lines))
        for name, own in groupby(known, label):
            levels = sorted(own, key=lambda cell: kv_rank(cell.kv_quant))
            lines = {level: _line(line, metric) for level, line in groupby(levels, lambda cell: cell.kv_quant)}
            if len(lines) > 1:
                title = f"accuracy against frames per kv level, {where}, {name}"
                found.append(Curve(f"accuracy_{safe(where)}_by_kv_{safe(name)}", title, lines))
    measured = [cell for cell in done if cell.kv_quant != "none" and END_TO_END in cell.metrics]
    for name, own in groupby(measured, label):
        levels = sorted(own, key=lambda cell: kv_rank(cell.kv_quant))
        lines = {level: _line(line, END_TO_END) for level, line in groupby(levels, lambda cell: cell.kv_quant)}
        found.append(Curve(f"kl_by_kv_{safe(name)}", f"attention KL (nats, end to end) against frames, {name}", lines))
    return found


END_TO_END = "attention_kl/end_to_end/all/mean"


def _line(cells: Iterable[Cell], metric: str) -> dict[int, float]:
    return {cell.frames: cell.metrics[metric] for cell in sorted(cells, key=lambda cell: cell.frames)}
