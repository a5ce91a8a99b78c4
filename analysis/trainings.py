"""Trainings: a table of skill by the seed that a model was trained with; what is claimed must hold for every one."""

from collections.abc import Sequence
from pathlib import Path
from statistics import stdev

from intpv.escape import markdown_table

from .runs import Cell
from .score_columns import prefix, regimes
from .seeds import by_training
from .units import MISSING, interval_text, percent

HEADING = (
    "## Each training\n\nSkill in % [95 % interval, over videos] of each model.seed alone, and the standard deviation "
    "across them, which the intervals do not hold.\n\n"
)


def append_trainings(cells: Sequence[Cell], path: Path) -> None:
    """Add the table to a Markdown file; nothing where no cell was run with several trainings."""
    found = [(cell, alone) for cell in cells if (alone := by_training(cell))]
    seeds = sorted({seed for _, alone in found for seed in alone})
    columns = regimes(cells)
    header = ["RoPE", "order", "F", "kv", *(f"{r} {one}".strip() for r in columns for one in (*seeds, "±"))]
    rows = [
        [cell.strategy, cell.rearranger, str(cell.frames), cell.kv_quant]
        + [text for regime in columns for text in _skills(cell, [alone.get(seed) for seed in seeds], regime)]
        for cell, alone in found
    ]
    if rows:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{HEADING}{markdown_table(header, rows)}")


def _skills(cell: Cell, alone: Sequence[Cell | None], regime: str) -> list[str]:
    name = f"{prefix(regime)}skill"
    return [*(_skill(one, name) for one in alone), percent(_spread(alone, name))]


def _spread(alone: Sequence[Cell | None], name: str) -> float | None:
    """Standard deviation across trainings, each the mean of its splits."""
    known = [one.metrics[name] for one in alone if one and name in one.metrics]
    return stdev(known) if len(known) > 1 else None


def _skill(cell: Cell | None, name: str) -> str:
    if cell is None or name not in cell.metrics:
        return MISSING
    value, (low, high) = cell.metrics[name], (cell.metrics.get(f"{name}_ci95_{end}") for end in ("low", "high"))
    return f"{percent(value)}{interval_text(low, high, value=value)}"
