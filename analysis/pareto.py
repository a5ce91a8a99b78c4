"""Pareto: which cells no other beats in score at no more cost, by bytes of the KV prefix, by FLOPs and by seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .runs import Cell
from .score_columns import prefix, regimes
from .table import markdown_table
from .units import bytes_text, percent, seconds_text

MOST_REGIMES = 2  # told apart; with more all questions are taken together
HEADING = (
    "## Pareto fronts\n\nCells that no other one beats in {score} at no more cost; the cheapest first. FLOPs: tower "
    "and prefill, in closed form; seconds: watch and all questions of a video, as measured on one machine.\n\n"
)


@dataclass(frozen=True)
class Cost:
    """Of a video."""

    name: str  # on an axis
    metrics: tuple[str, ...]  # that it is the sum of
    text: Callable[[float], str]

    def of(self, cell: Cell) -> float | None:
        """None where the cell has not measured it."""
        parts = [cell.metrics.get(metric) for metric in self.metrics]
        return None if None in parts else sum(part for part in parts if part is not None)


def _flops_text(flops: float) -> str:
    return f"{flops / 1e12:.3g} TFLOP"


COSTS = (
    Cost("KV prefix", ("kv/bytes",), bytes_text),
    Cost("arithmetic", ("cost/tower_flops", "cost/prefill_flops"), _flops_text),
    Cost("time", ("time/watch_s", "time/ask_s"), seconds_text),
)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (cost, score) that none beats: cheaper than every other with as high a score, by rising cost.

    >>> front([(1, 0.5), (2, 0.4), (2, 0.7), (3, 0.7)])
    [0, 2]
    """
    chosen: list[int] = []
    for index in sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1])):
        if not chosen or points[index][1] > points[chosen[-1]][1]:
            chosen.append(index)
    return chosen


def shown_regimes(cells: Sequence[Cell]) -> list[str]:
    """Those that are told apart."""
    found = regimes(cells)
    return found if len(found) <= MOST_REGIMES else [""]


def score_name(cells: Sequence[Cell]) -> str:
    """skill, where the benchmark knows its bounds."""
    known = any(f"{prefix(regime)}skill" in cell.metrics for cell in cells for regime in shown_regimes(cells))
    return "skill" if known else "accuracy"


def priced(cells: Sequence[Cell], cost: Cost, metric: str) -> list[tuple[Cell, float, float]]:
    """Finished cells that have both: cell, cost and score."""
    found = [(cell, cost.of(cell), cell.metrics.get(metric)) for cell in cells if cell.status == "done"]
    return [(cell, price, score) for cell, price, score in found if price and score is not None]


def append_fronts(cells: Sequence[Cell], path: Path) -> None:
    """Add the cells of the fronts to a Markdown file; nothing where fewer than two cells have a cost."""
    score, rows = score_name(cells), []
    for regime in shown_regimes(cells):
        for cost in COSTS:
            known = priced(cells, cost, f"{prefix(regime)}{score}")
            for index in front([point[1:] for point in known]) if len(known) > 1 else ():
                cell, price, value = known[index]
                cell_is = [cell.strategy, cell.rearranger, str(cell.frames), cell.kv_quant]
                rows.append([regime or "all", cost.name, *cell_is, cost.text(price), percent(value)])
    if rows:
        header = ["regime", "cost", "RoPE", "order", "F", "kv", "of a video", f"{score} %"]
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{HEADING.format(score=score)}{markdown_table(header, rows)}")
