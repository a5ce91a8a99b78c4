"""Seeds: cells that differ in seeds alone are one point of a comparison, with a mean and a spread, not several lines.

What the spread across them is, as a standard deviation, depends on the seed:
    seed        the method's own chance (random orders, drawn weights, shuffled frames), on the same questions
    model.seed  the chance of the weights, where a model has a seed of its own, on the same questions
    data.seed   other videos and questions: this one holds the chance of drawing videos, the other two do not
The interval beside the mean is over videos: a video is drawn with its answers of all runs, and each split has its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev

from intpv.metrics.cell import summarise

from .runs import Cell
from .score_columns import prefix, regimes

TRAINING = "model.seed"
SPREAD = ("accuracy", "skill")  # metrics that get `<metric>_sd`


def over_seeds(cells: Sequence[Cell]) -> list[Cell]:
    """The same cells, finished ones that differ in seeds alone, or in what they measured beside the answers, as one."""
    found: dict[tuple, list[Cell]] = {}
    for cell in cells:
        found.setdefault(_place(cell) if cell.status == "done" else (cell.name,), []).append(cell)
    return [_mean(alike) if len(alike) > 1 else alike[0] for alike in found.values()]


def by_training(cell: Cell) -> dict[int, Cell]:
    """model.seed -> its own runs as one; nothing of a cell that has only one training."""
    return {seed: _mean(runs) for seed, runs in runs_by_training(cell).items()}


def runs_by_training(cell: Cell) -> dict[int, list[Cell]]:
    """model.seed -> its own runs; nothing of a cell that has only one training."""
    found: dict[int, list[Cell]] = {}
    for run in cell.runs:
        if (seed := dict(run.seeds).get(TRAINING)) is not None:
            found.setdefault(seed, []).append(run)
    return dict(sorted(found.items())) if len(found) > 1 else {}


def _place(cell: Cell) -> tuple:
    return cell.strategy, cell.rearranger, cell.frames, cell.kv_quant, cell.encoder, cell.model, cell.data


def _mean(cells: Sequence[Cell]) -> Cell:
    by_seed: dict[tuple, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: len(cell.metrics)):
        by_seed.setdefault(cell.seeds, []).append(cell)
    runs = [replace(alike[-1], metrics=_all(alike)) for _, alike in sorted(by_seed.items())]
    if len(runs) == 1:
        return runs[0]
    pool = replace(runs[0], parts=tuple(runs), metrics={})
    return replace(pool, metrics=_means(runs) | summarise(pool.samples()) | _sizes(runs) | _spread(runs))


def _all(cells: Sequence[Cell]) -> dict[str, float]:
    """Whatever any of them has measured."""
    return {name: value for cell in cells for name, value in cell.metrics.items()}


def _means(runs: Sequence[Cell]) -> dict[str, float]:
    """Of the metrics that all of them have; intervals have no mean."""
    names = set.intersection(*(set(run.metrics) for run in runs))
    values = {name: [run.metrics[name] for run in runs] for name in sorted(names) if "_ci95_" not in name}
    return {name: own[0] if len(set(own)) == 1 else fmean(own) for name, own in values.items()}


def _sizes(runs: Sequence[Cell]) -> dict[str, float]:
    """A question that was asked in several runs is one question."""
    splits = {run.split: run.metrics for run in runs}.values()
    names = (prefix(regime) + name for regime in ("", *regimes(runs)) for name in ("videos", "questions"))
    return {name: sum(split.get(name, 0) for split in splits) for name in names}


def _spread(runs: Sequence[Cell]) -> dict[str, float]:
    """Of each regime, across the runs that have the metric."""
    names = {prefix(regime) + name for regime in ("", *regimes(runs)) for name in SPREAD}
    values = {name: [run.metrics[name] for run in runs if name in run.metrics] for name in names}
    return {f"{name}_sd": stdev(own) for name, own in values.items() if len(own) > 1}
