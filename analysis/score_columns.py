"""Columns of scores: skill where a benchmark knows its bounds, else accuracy beside its majority floor, by regime."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from intpv.metrics.cell import LABEL
from intpv.record.samples import Sample

from .runs import Cell
from .units import MISSING, interval_text, percent


@dataclass(frozen=True)
class Column:
    group: str  # the upper line of the header
    header: str
    text: Callable[[Cell], str]
    width: int  # characters on a terminal
    justify: Literal["left", "right"] = "right"


def known_of(columns: Sequence[Column], cells: Sequence[Cell]) -> tuple[Column, ...]:
    """Those columns of which some cell has a figure."""
    return tuple(column for column in columns if any(column.text(cell) != MISSING for cell in cells))


def regimes(cells: Sequence[Cell]) -> list[str]:
    """Regimes found in the metrics, the known ones in their order, lengths by their number; [""], all questions, where
    there is none."""
    found = {name.removesuffix("/accuracy") for cell in cells for name in cell.metrics if name.endswith("/accuracy")}
    return sorted(found, key=_regime_rank) or [""]


def of_regime(lines: Iterable[Sample], regime: str) -> list[Sample]:
    """Those of one regime, or all of them for ""."""
    return [line for line in lines if not regime or line["labels"].get(LABEL) == regime]


def _regime_rank(regime: str) -> tuple[int, int, str]:
    number = re.match(r"\d+", regime)
    known = KNOWN_REGIMES.index(regime) if regime in KNOWN_REGIMES else len(KNOWN_REGIMES)
    return known, int(number.group()) if number else 0, regime


KNOWN_REGIMES = ("slow", "fast", "short", "medium", "long")  # of flipbook and Video-MME


def prefix(regime: str) -> str:
    return f"{regime}/" if regime else ""


def scores(regime: str) -> tuple[Column, ...]:
    """Of one regime, all in percent: skill with its 95 % interval, accuracy, restricted accuracy, invalid rate."""
    return (
        Column(regime or "all", "skill", lambda cell: score_text(cell, regime, "skill"), 16, "left"),
        _rate(regime, "acc", "accuracy"),
        _rate(regime, "restr", "accuracy_restricted"),
        _rate(regime, "inval", "invalid_rate"),
    )


def score_blocks(cells: Sequence[Cell]) -> list[tuple[str, tuple[Column, ...]]]:
    """Regimes and their columns. A benchmark that knows no bounds has accuracy and its floor in the place of skill, of
    all questions first: no score stands without what it would be by always giving one answer."""
    found = regimes(cells)
    if any("ceiling" in cell.metrics for cell in cells) or not any(FLOOR in cell.metrics for cell in cells):
        return [(regime, scores(regime)) for regime in found]
    accuracy = Column("all", "accuracy", lambda cell: score_text(cell, "", "accuracy"), 16, "left")
    beside, paired = (known_of([_rate("", *column) for column in of], cells) for of in (UNBOUNDED, PAIRED))
    of_regimes = [
        (regime, (replace(_rate(regime, "acc", "accuracy"), group=regime), _rate(regime, "floor", FLOOR)))
        for regime in found
        if regime
    ]
    return [("", (accuracy, _rate("", "floor", FLOOR), *beside)), ("", paired), *of_regimes]


FLOOR = "majority_floor"
UNBOUNDED = (  # header and metric of what is told beside accuracy, where it is known
    *(("restr", "accuracy_restricted"), ("inval", "invalid_rate")),
    *(("kinds", "accuracy_macro"), ("floor", f"{FLOOR}_macro")),
)
PAIRED = (
    *(("text", "pair_score/text"), ("floor", "pair_score_floor/text")),
    *(("video", "pair_score/video"), ("floor", "pair_score_floor/video")),
    *(("group", "group_score"), ("floor", "group_score_floor")),
)


def _rate(regime: str, header: str, name: str) -> Column:
    return Column("", header, lambda cell: percent(cell.metrics.get(prefix(regime) + name)), 5)


def score_text(cell: Cell, regime: str, score: str) -> str:
    """A score, its points below each other, with its interval; without metrics the cell's status stands there."""
    if not cell.metrics:
        return f"  {cell.status}"
    name = prefix(regime) + score
    value, low, high = (cell.metrics.get(name + end) for end in ("", "_ci95_low", "_ci95_high"))
    videos = cell.metrics.get(prefix(regime) + "videos")
    return percent(value).rjust(5) + interval_text(low, high, value=value, units=videos)
