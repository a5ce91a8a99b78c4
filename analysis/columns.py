"""Columns: what the tables show of a cell, and which regimes a sweep has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from intpv.measure.signatures.shown import shown

from .runs import Cell
from .units import MISSING, bytes_text, interval_text, percent, seconds_text


@dataclass(frozen=True)
class Column:
    group: str  # the upper line of the header
    header: str
    text: Callable[[Cell], str]
    width: int  # characters on a terminal
    justify: Literal["left", "right"] = "right"


IDENTITY = (
    Column("", "F", lambda cell: str(cell.frames), 3),
    Column("", "kv", lambda cell: cell.kv_quant, 4),
)
COSTS = (
    Column("KV", "size", lambda cell: bytes_text(cell.metrics.get("kv/bytes")), 7),
    Column("bits per", "element", lambda cell: _plain(cell.metrics.get("kv/bits_per_element")), 8),
    Column("", "watch", lambda cell: seconds_text(cell.metrics.get("time/watch_s")), 7),
    Column("", "ask", lambda cell: seconds_text(cell.metrics.get("time/ask_s")), 7),
)


def regimes(cells: Sequence[Cell]) -> list[str]:
    """Regimes found in the metrics, slow before fast; [""], all questions, where there is none."""
    found = {name.removesuffix("/accuracy") for cell in cells for name in cell.metrics if name.endswith("/accuracy")}
    return sorted(found, key=lambda regime: (regime not in ("slow", "fast"), regime == "fast", regime)) or [""]


def prefix(regime: str) -> str:
    return f"{regime}/" if regime else ""


def scores(regime: str) -> tuple[Column, ...]:
    """Of one regime, all in percent: skill with its 95 % interval, accuracy, restricted accuracy, invalid rate."""

    def rate(name: str) -> Callable[[Cell], str]:
        return lambda cell: percent(cell.metrics.get(prefix(regime) + name))

    return (
        Column(regime or "all", "skill", lambda cell: skill_text(cell, regime), 16, "left"),
        Column("", "acc", rate("accuracy"), 5),
        Column("", "restr", rate("accuracy_restricted"), 5),
        Column("", "inval", rate("invalid_rate"), 5),
    )


def skill_text(cell: Cell, regime: str) -> str:
    """Skill, its points below each other, with its interval; a cell without metrics says why: failed, oom, running."""
    if not cell.metrics:
        return f"  {cell.status}"
    name = prefix(regime) + "skill"
    bounds = (cell.metrics.get(f"{name}_ci95_{end}") for end in ("low", "high"))
    return percent(cell.metrics.get(name)).rjust(5) + interval_text(*bounds)


def remark(cell: Cell) -> str:
    """What a reader must know about the cell's numbers; nothing where all went well."""
    if cell.status != "done":
        return f"{cell.status}: {cell.reason}" if cell.reason else cell.status
    notes = shown(cell.metrics)  # of the paper's failure signatures
    answered = cell.metrics.get("coverage", 1)
    if answered < 1:
        notes.insert(0, f"only {percent(answered)} % of the questions could be answered, the rest count as wrong")
    return "; ".join(notes)


def _plain(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}"
