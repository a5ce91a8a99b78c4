"""Alarm: how well what needs no labels predicts the loss of accuracy, on strategies and on models held out.

python -m analysis.alarm runs/A [runs/B ...]

Each finished cell is compared with the 8-frame baseline of its model and seed (the fewest frames without scaling), and
where it is quantised with its own full precision. Signals that grow where something is wrong: sqrt(KL / 2) of answers
and of attention (by Pinsker's inequality a bound on how much an answer can change), how far attention's entropy moved,
answers outside the options, the entropy of the options' likelihoods, and answers that changed. A line through one
signal, or a sum of all of them that may only grow with each (non-negative least squares), is fitted without one
strategy, or without one model, and predicts it.

R2 is against the mean of the cells fitted on, which is the trivial alarm: 0 is no better. AUROC: how often a cell that
lost more than 5 points is ranked above one that did not, by what is predicted beyond that mean; 0.5 is chance.
Intervals draw strategies of a model whole, of which there are few: where they hold 0 (R2) or 0.5 nothing was shown.
Writes alarm.md into the first sweep's folder.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import log_softmax

from intpv.errors import BadInput
from intpv.escape import markdown_table, printable
from intpv.metrics.interval import RESAMPLES, SEED, bootstrap, tail
from intpv.metrics.paired import question_differences
from intpv.metrics.sample import is_answered, mean
from intpv.record.samples import Sample

from .pairs import baseline, full_precision
from .provenance import provenance_lines
from .runs import Cell, read_sweep, say
from .units import MISSING

LOSS = 0.05  # that must ring
LEAST = 8  # cells
TOGETHER, TRIVIAL = "all together", "mean of the others"
MEASURED: Mapping[str, Mapping[str, str]] = {  # reference -> signal -> its name in metrics.json
    "baseline": {
        "answer KL": "attention_kl/grouped/answer_kl/mean",
        "attention KL": "attention_kl/grouped/total/mean",
    },
    "full precision": {
        "answer KL": "attention_kl/answer_kl/mean",
        "attention KL": "attention_kl/end_to_end/all/mean",
        "attention entropy": "attention_kl/end_to_end/entropy_ratio",
    },
}
HEADER = ("held out", "alarm", "cells", "R2 [95 %]", "AUROC [95 %]", "better than the mean?")


@dataclass(frozen=True)
class Observed:
    """A cell: what it lost against its reference, and what was seen of it without labels."""

    model: str  # with its seeds
    strategy: str
    loss: float  # accuracy of the reference minus its own, -1 to 1
    signals: Mapping[str, float]


@dataclass(frozen=True)
class Alarm:
    """How well a predictor did on what it was not fitted on."""

    r2: float
    r2_ends: tuple[float, float] | None
    auroc: float | None  # None where all cells lost so much, or none
    auroc_ends: tuple[float, float] | None

    def verdict(self) -> str:
        if self.r2_ends is None or self.r2_ends[0] <= 0 <= self.r2_ends[1]:
            return "not told"
        return "better" if self.r2_ends[0] > 0 else "worse"


def observe(cells: Sequence[Cell], reference: str) -> list[Observed]:
    """Of one model and seed; cells that are the same by construction, as all strategies at F = N, count once."""
    base, read = baseline(cells), cache(Cell.samples)
    found: dict[tuple, Observed] = {}
    for cell in (cell for cell in cells if cell.status == "done"):
        other = full_precision(cells, cell) if reference == "full precision" else base
        if other is not None and other is not cell:
            seen = _observed(cell, other, reference, read)
            found.setdefault((cell.frames, cell.kv_quant, seen.loss, *seen.signals.values()), seen)
    return list(found.values())


def _observed(cell: Cell, other: Cell, reference: str, read: Callable[[Cell], list[Sample]]) -> Observed:
    ours, theirs = read(cell), {line["id"]: line for line in read(other)}
    loss = -mean([line["difference"] for line in question_differences(ours, list(theirs.values()))])
    signals = {name: cell.metrics[key] for name, key in MEASURED[reference].items() if key in cell.metrics}
    signals = {name: abs(x - 1) if "entropy" in name else sqrt(max(x, 0) / 2) for name, x in signals.items()}
    both = [(line, theirs[line["id"]]) for line in ours if is_answered(line) and is_answered(theirs[line["id"]])]
    if both:
        signals["answers changed"] = mean([line["prediction"] != before["prediction"] for line, before in both])
        signals["invalid answers"] = mean([int(before["valid"]) - int(line["valid"]) for line, before in both])
        if all(line.get("loglik") for pair in both for line in pair):
            signals["entropy of options"] = mean([_entropy(line) - _entropy(before) for line, before in both])
    seeds = " ".join(f"{key}={seed}" for key, seed in cell.seeds)
    return Observed(f"{cell.recipe or cell.model} {seeds}".strip(), cell.strategy, loss, signals)


def _entropy(line: Sample) -> float:
    """Of the options' likelihoods, nats."""
    logs = log_softmax(line["loglik"])
    return float(-(np.exp(logs) * logs).sum())


def predict_held_out(signals: NDArray, loss: NDArray, groups: Sequence[str]) -> tuple[NDArray, NDArray]:
    """What is predicted of each cell, and the mean, by fits that have seen nothing of its group.

    signals: (cells, signals), none at all for the mean alone; loss: (cells,). The slopes are not negative.
    """
    predicted, means = np.empty(len(loss)), np.empty(len(loss))
    for group in set(groups):
        out = np.array([one == group for one in groups])
        middle, spread = signals[~out].mean(0), signals[~out].std(0)
        spread = np.where(spread > 0, spread, np.inf)  # what never differed tells nothing
        means[out] = loss[~out].mean()
        slopes, _ = nnls((signals[~out] - middle) / spread, loss[~out] - loss[~out].mean())
        predicted[out] = loss[~out].mean() + (signals[out] - middle) / spread @ slopes
    return predicted, means


def assess(predicted: NDArray, means: NDArray, loss: NDArray, clusters: Sequence[str], most: float = LOSS) -> Alarm:
    """Clusters are drawn whole for the intervals; a draw where all cells lost so much, or none, may have any AUROC."""
    names = sorted(set(clusters))
    member = np.array([[one == name for one in clusters] for name in names], dtype=float)
    errors = member @ np.stack([(loss - predicted) ** 2, (loss - means) ** 2], 1)
    total = errors.sum(0)
    rings = loss > most
    alarm = predicted - means  # a fit without a strategy that lost much has a low mean: that is no ranking of its cells
    ahead = (alarm[rings][:, None] > alarm[~rings]) + 0.5 * (alarm[rings][:, None] == alarm[~rings])
    won = member[:, rings] @ ahead @ member[:, ~rings].T
    pairs = np.outer(member[:, rings].sum(1), member[:, ~rings].sum(1))
    known = pairs.sum() > 0
    return Alarm(
        r2=float(1 - total[0] / total[1]),
        r2_ends=bootstrap(errors, lambda sums: 1 - sums[..., 0] / sums[..., 1]),
        auroc=float(won.sum() / pairs.sum()) if known else None,
        auroc_ends=_auroc_ends(won, pairs) if known and len(names) > 1 else None,
    )


def _auroc_ends(won: NDArray, pairs: NDArray) -> tuple[float, float]:
    clusters = len(won)
    drawn = np.random.default_rng(SEED).multinomial(clusters, np.full(clusters, 1 / clusters), RESAMPLES)
    counts = [np.einsum("rg,gh,rh->r", drawn, each, drawn) for each in (won, pairs)]
    cut = tail(clusters)
    with np.errstate(invalid="ignore"):
        areas = counts[0] / counts[1]
    low, high = (np.where(np.isnan(areas), end, areas) for end in (0.0, 1.0))
    return float(np.quantile(low, cut)), float(np.quantile(high, 1 - cut))


def write_alarm(folders: Sequence[str | Path]) -> list[Path]:
    """alarm.md. BadInput as `alarm_table` says."""
    sweeps = {Path(folder): read_sweep(folder) for folder in folders}
    table = alarm_table(list(sweeps.values()))
    told = " ".join((__doc__ or "").split("\n\n")[3].split()).partition(" Writes")[0]
    parts = [f"# Alarm: {', '.join(printable(folder.name) for folder in sweeps)}"]
    parts += [provenance_lines(folder, cells).rstrip() for folder, cells in sweeps.items()]
    out = next(iter(sweeps)) / "alarm.md"
    out.write_text("\n\n".join([*parts, told, table]), encoding="utf-8")
    return [out]


def alarm_table(sweeps: Sequence[Sequence[Cell]]) -> str:
    """Markdown. BadInput where no reference has LEAST cells that differ from it."""
    worlds = [world for cells in sweeps for world in _worlds(cells)]
    parts = []
    for reference in MEASURED:
        seen = [one for world in worlds for one in observe(world, reference)]
        if len(seen) >= LEAST:
            parts.append(f"## Loss against {reference}\n\n{_told(seen)}\n\n{markdown_table(HEADER, list(_rows(seen)))}")
    if not parts:
        raise BadInput(f"an alarm needs {LEAST} finished cells beyond a reference, got {sum(map(len, worlds))} cells")
    return "\n".join(parts)


def _worlds(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that one model of one seed answered on one test set."""
    found: dict[tuple, list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.model, cell.encoder, cell.data, cell.seeds), []).append(cell)
    return list(found.values())


def _told(seen: Sequence[Observed]) -> str:
    losses = [100 * one.loss for one in seen]
    models, strategies = {one.model for one in seen}, {one.strategy for one in seen}
    return (
        f"{len(seen)} cells of {len(models)} models or seeds and {len(strategies)} strategies lost "
        f"{min(losses):.1f} to {max(losses):.1f} points, {sum(loss > 100 * LOSS for loss in losses)} of them more than "
        f"{100 * LOSS:g}."
    )


def _rows(seen: Sequence[Observed]) -> Iterator[list[str]]:
    loss = np.array([one.loss for one in seen])
    clusters = [f"{one.model}/{one.strategy}" for one in seen]
    names = [name for name in seen[0].signals if all(name in one.signals for one in seen)]
    for what, groups in (("strategy", [one.strategy for one in seen]), ("model", [one.model for one in seen])):
        if len(set(groups)) < 2:
            yield [what, MISSING, str(len(seen)), MISSING, MISSING, f"one {what} alone: nothing can be held out"]
            continue
        for name in (*names, *([TOGETHER] if len(names) > 1 else [])):
            chosen = names if name == TOGETHER else [name]
            signals = np.array([[one.signals[signal] for signal in chosen] for one in seen])
            found = assess(*predict_held_out(signals, loss, groups), loss, clusters)
            scores = (_text(found.r2, found.r2_ends), _text(found.auroc, found.auroc_ends))
            yield [what, name, str(len(seen)), *scores, found.verdict()]
        yield [what, TRIVIAL, str(len(seen)), "0", "0.50", MISSING]


def _text(value: float | None, ends: tuple[float, float] | None) -> str:
    interval = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
    return MISSING if value is None else f"{value:.2f}{interval}"


def main() -> int:
    parser = ArgumentParser("python -m analysis.alarm", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sweeps", nargs="+", metavar="runs/<sweep>")
    given = parser.parse_args()
    return say(lambda: write_alarm(given.sweeps))


if __name__ == "__main__":
    sys.exit(main())
