"""Ensemble: the answers of several cells to a question taken together, beside cells that saw as much at once.

    python -m experiments.evaluate -m sweep.name=phases frames=8 video.phase=0.125,0.375,0.625,0.875
    python -m experiments.evaluate -m sweep.name=phases frames=8,32 rope_strategy=yarn,parallel_windows
    python -m analysis.ensemble runs/phases video.phase

Members are cells that differ in KEY alone. Two rules make one answer of theirs: the mean of the probabilities that they
give to the options (softmax of the log-likelihoods, as action recognition pools the clips of a video), and the answer
that most of them gave, of equals the more probable. Either is held against every cell that is no member, on the same
questions; p: by flipping the signs of whole videos, adjusted over all lines (Holm 1979). W members cost W watches and W
answers. Writes ensemble.md and ensemble.csv into the sweep's folder.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intpv.errors import BadInput
from intpv.escape import markdown_table, printable
from intpv.metrics.sample import is_answered
from intpv.metrics.significance import holm, sign_flip
from intpv.record.samples import Sample

from .consistency import refuse_mixed
from .effects import LEVEL, Columns, Effect
from .kinds import by_number
from .page_and_table import write_page_and_table
from .pairs import Read
from .places import by_place, common, told
from .provenance import provenance_lines
from .runs import Cell, read_sweep, say
from .score_columns import regimes
from .units import percent

MEAN, VOTES = RULES = ("mean probability", "most votes")


@dataclass(frozen=True)
class Ensemble:
    """The members of one place under one rule, against a cell that is none of them. Accuracies 0 to 1."""

    members: str  # what they have in common and others have not
    regime: str
    rule: str
    alone: tuple[float, ...]  # each member's accuracy
    accuracy: float
    reference: str
    reference_accuracy: float
    effect: Effect  # accuracy minus the reference's
    p: float  # adjusted over all lines


def pool_answers(answers: Sequence[Sample], rule: str) -> Sample:
    """One line of the members' lines of one question; members that could not answer it have no say.

    Raises BadInput for the mean probability where a member has no log-likelihoods: of open questions there are none.
    """
    given = [one for one in answers if is_answered(one)]
    if not given:
        return answers[0]
    options, probable = given[0]["options"], _mean_probability(given)
    if rule == VOTES:
        votes = Counter(one["prediction"] for one in given)
        chance = dict(zip(options, probable if probable is not None else (), strict=False))
        return max(given, key=lambda one: (votes[one["prediction"]], chance.get(str(one["prediction"]), 0.0)))
    if probable is None:
        raise BadInput(f"question {given[0]['id']} has no log-likelihoods of its options: there is no {MEAN}")
    choice = options[int(probable.argmax())]
    return {**given[0], "prediction": choice, "choice": choice, "correct": choice == given[0]["answer"], "valid": True}


def _mean_probability(given: Sequence[Sample]) -> NDArray | None:
    """Of each option; None where a member scored none."""
    logliks = [one.get("loglik") for one in given]
    if not all(logliks):
        return None
    scores = np.asarray(logliks, dtype=float)
    shares = np.exp(scores - scores.max(1, keepdims=True))
    return (shares / shares.sum(1, keepdims=True)).mean(0)


def ensembles(cells: Sequence[Cell], key: str) -> list[Ensemble]:
    """By place, regime, rule and reference. BadInput where nothing differs in the key alone, or nothing else is there,
    and where members were not run with the same seeds or asked the same questions."""
    done = [cell for cell in cells if cell.status == "done"]
    refuse_mixed(done)
    found = by_place(done, key)
    members = {place: by_value for place, by_value in found.items() if len(by_value) > 1}
    others = {place: by_value for place, by_value in found.items() if len(by_value) == 1}
    if not members or not others:
        lacking = "no two finished cells differ in it alone" if not members else "all are members"
        raise BadInput(f"{key}: {lacking}; an ensemble needs cells that differ in KEY alone, and one that does not")
    read, same = cache(Cell.samples), common(found)
    lines, ps = [], []
    for place, by_value in members.items():
        own = {rule: dict(_pooled_runs(by_value, key, rule, read)) for rule in RULES}
        for regime, rule, reference in product(regimes(done), RULES, others):
            alone = Columns([by_value[value] for value in sorted(by_value, key=by_number)], regime, read).accuracies
            (theirs,) = others[reference].values()
            columns = Columns([list(own[rule]), theirs], regime, partial(_read, own[rule], read))
            accuracy, other = map(float, columns.accuracies)
            named, against = (" ".join(told(one, same)) for one in (place, reference))
            effect = columns.effect(np.array([1.0, -1.0]))
            lines.append((named, regime, rule, tuple(alone), accuracy, against, other, effect))
            ps.append(sign_flip(columns.sums[:, 0] - columns.sums[:, 1]))
    return [Ensemble(*one, p) for one, p in zip(lines, holm(ps), strict=True)]


def _read(own: Mapping[Cell, list[Sample]], read: Read, run: Cell) -> list[Sample]:
    """What the run's ensemble answered, where it stands for one."""
    return own[run] if run in own else read(run)


def _pooled_runs(
    by_value: Mapping[str, Sequence[Cell]], key: str, rule: str, read: Read
) -> Iterator[tuple[Cell, list[Sample]]]:
    """For each run of the first member the answers of it and its like of the same seeds."""
    first, *_ = by_value.values()
    for run in first:
        alike = []
        for value, runs in by_value.items():
            mine = [one for one in runs if one.seeds == run.seeds]
            if not mine:
                seeds = ", ".join(f"{name}={seed}" for name, seed in run.seeds)
                raise BadInput(f"{key}={value} has no finished cell of {seeds}, as {run.folder} is")
            alike.append({line["id"]: line for line in read(mine[0])})
        yield run, [pool_answers([one[line["id"]] for one in alike], rule) for line in read(run)]


def write_ensemble(folder: str | Path, key: str) -> list[Path]:
    """ensemble.md and ensemble.csv in the sweep's folder."""
    folder = Path(folder)
    cells = read_sweep(folder)
    found = ensembles(cells, key)
    explained = (
        f"Answers of the cells that differ in {key} alone, taken together; their number, mean and range before it. "
        "Points of accuracy [95 % interval, bootstrap over videos] {each training} on the same questions. p: adjusted "
        f"over all lines (Holm); told apart: p < {LEVEL} and the same sign in every training."
    )
    header = ["members", "regime", "members' accuracy in %", "rule", "accuracy in %", "against", "accuracy in %"]
    rows = [
        [
            *(one.members, one.regime, _range(one.alone), one.rule, percent(one.accuracy)),
            *(one.reference, percent(one.reference_accuracy)),
            *(str(one.effect), f"{one.p:.3f}", "yes" if one.effect.is_told_apart(one.p) else ""),
        ]
        for one in found
    ]
    told_by = markdown_table([*header, "difference", "p", "told apart"], rows)
    text = f"# Ensemble: {printable(folder.name)}\n\n{provenance_lines(folder, cells)}\n{explained}\n\n{told_by}"
    return write_page_and_table(folder, "ensemble", text, [_row(one) for one in found])


def _range(alone: Sequence[float]) -> str:
    """How many, their mean, and from which to which."""
    mean = percent(sum(alone) / len(alone))
    return f"{len(alone)}: {mean} ({percent(min(alone))} to {percent(max(alone))})"


def _row(one: Ensemble) -> dict[str, object]:
    return {
        "members": one.members,
        "regime": one.regime,
        "rule": one.rule,
        "alone": " ".join(f"{accuracy:.5f}" for accuracy in one.alone),
        "accuracy": one.accuracy,
        "reference": one.reference,
        "reference_accuracy": one.reference_accuracy,
        **one.effect.row,
        "p_holm": one.p,
    }


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python -m analysis.ensemble runs/<sweep> KEY", file=sys.stderr)
        return 2
    return say(lambda: write_ensemble(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
