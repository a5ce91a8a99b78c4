"""Differences: differences.csv, each finished cell against its references, per regime and per kind of question.

A line is a cell, a reference, a regime and a kind ("" for all kinds together): the mean difference of accuracy with its
95 % interval (bootstrap over videos; empty where there is none) and `low` and `high`, the 90 % interval that tells
whether it lies inside a margin (two one-sided tests at 5 %; intpv/metrics/equivalence.py). All are shares of 1.
`trainings`, where a cell has been run with several (model.seed), are the means of each alone.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from operator import itemgetter
from pathlib import Path

from intpv.errors import BadInput
from intpv.metrics.paired import paired_difference, question_differences
from intpv.metrics.sample import groups, mean
from intpv.record.samples import Sample

from .pairs import baseline, full_precision, paired_lines, partners
from .runs import Cell
from .score_columns import of_regime, regimes
from .seeds import runs_by_training

REFERENCES = ("baseline", "full precision")
IDENTITY = ("rearranger", "rope_strategy", "variant", "frames", "kv_quant", "runs", "reference", "regime", "kind")
COUNTS = ("questions", "videos", "gained", "lost")
SHARES = ("mean", "ci95_low", "ci95_high", "low", "high")
DIGITS = 5


def differences(cells: Sequence[Cell]) -> Iterator[dict]:
    """A row per line; none for a pair without common questions."""
    read = cache(Cell.samples)
    for cell in cells:
        base = baseline(cells, cell)
        others = (base if base is not cell else None, full_precision(cells, cell))
        for name, reference in zip(REFERENCES, others, strict=True):
            if cell.status == "done" and reference is not None:
                pairs, columns = partners(cell, reference), regimes(cells)
                try:
                    own = [[pair for pair in pairs if pair[0] in runs] for runs in runs_by_training(cell).values()]
                    alone = [_means(*paired_lines(read, some), columns) for some in own]
                    for row in _rows(*paired_lines(read, pairs), columns):
                        trainings = [means[row["regime"], row["kind"]] for means in alone]
                        yield _identity(cell) | {"runs": len(pairs), "reference": name, "trainings": trainings} | row
                except BadInput:  # another benchmark, or another limit
                    continue


def write_differences(cells: Sequence[Cell], path: Path) -> bool:
    """Whether there was anything to write."""
    rows = list(differences(cells))
    if rows:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, (*IDENTITY, *COUNTS, *SHARES, "trainings"))
            writer.writeheader()
            writer.writerows(row | {"trainings": " ".join(map(str, row["trainings"]))} for row in rows)
    return bool(rows)


def read_differences(path: Path) -> list[dict]:
    """As `differences` gave them, rounded."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            row
            | {name: int(row[name]) for name in ("frames", "runs", *COUNTS)}
            | {name: float(row[name]) if row[name] else None for name in SHARES}
            | {"trainings": [float(mean) for mean in row["trainings"].split()]}
            for row in csv.DictReader(file)
        ]


def _identity(cell: Cell) -> dict:
    return {name: getattr(cell, name) for name in IDENTITY if hasattr(cell, name) and name != "runs"}


def _rows(ours: Sequence[Sample], theirs: Sequence[Sample], columns: Sequence[str]) -> Iterator[dict]:
    for place, mine, other in _places(ours, theirs, columns):
        found = asdict(paired_difference(mine, other))
        shares = {name: None if found[name] is None else round(found[name], DIGITS) for name in SHARES}
        yield place | {name: found[name] for name in COUNTS} | shares


def _means(ours: Sequence[Sample], theirs: Sequence[Sample], columns: Sequence[str]) -> dict[tuple[str, str], float]:
    """(regime, kind) -> the mean difference alone."""
    means = {}
    for place, mine, other in _places(ours, theirs, columns):
        each = [line["difference"] for line in question_differences(mine, other)]
        means[place["regime"], place["kind"]] = round(mean(each), DIGITS)
    return means


def _places(
    ours: Sequence[Sample], theirs: Sequence[Sample], columns: Sequence[str]
) -> Iterator[tuple[dict[str, str], list[Sample], list[Sample]]]:
    """What each regime and kind was answered on either side."""
    for regime in columns:
        mine, other = (of_regime(lines, regime) for lines in (ours, theirs))
        by_kind = [{"": lines, **groups(lines, itemgetter("kind"))} for lines in (mine, other)]
        for kind, lines in by_kind[0].items():
            yield {"regime": regime, "kind": kind}, lines, by_kind[1].get(kind, [])
