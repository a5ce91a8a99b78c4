"""Ensemble: the answers of several cells to a question taken together, beside cells that saw as much at once.

    python -m experiments.evaluate -m sweep.name=phases frames=8 video.phase=0.125,0.375,0.625,0.875
    python -m experiments.evaluate -m sweep.name=phases frames=8,32 rope_strategy=yarn,parallel_windows
    python -m analysis.ensemble runs/phases video.phase

Members are cells that differ in KEY alone. Two rules make one answer of theirs: the mean of the probabilities that they
give to the options (softmax of the log-likelihoods, as action recognition pools the clips of a video), and the answer
that most of them gave, of equals the more probable. Where options were scored an answer is the likeliest of them, of
members, ensembles and all others: what is said freely may be no option, and pooling mends that for itself alone. Open
answers can be voted on, and `scorer.likelihood=per_character` too.

Each ensemble is held against every cell that is no member, on the same questions; cells of the same answers are one.
p: by flipping the signs of whole videos, adjusted over all lines (Holm 1979). W members cost W watches and W answers.
Writes ensemble.md and ensemble.csv into the sweep's folder.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intpv.errors import BadInput
from intpv.escape import markdown_table, printable
from intpv.metrics.sample import is_answered, is_restricted_correct, mean
from intpv.metrics.significance import holm, sign_flip
from intpv.record.samples import Sample
from intpv.scorer.options import normalised

from .consistency import refuse_mixed
from .effects import LEVEL, Columns, Effect
from .kinds import by_number
from .page_and_table import write_page_and_table
from .pairs import Read
from .places import Place, by_place, common, told
from .provenance import provenance_lines
from .runs import SEEDS, Cell, read_sweep, say
from .score_columns import of_regime, regimes
from .units import MISSING, percent

MEAN, VOTES = RULES = ("mean probability", "most votes")


@dataclass(frozen=True)
class Alone:
    """One member. Shares are 0 to 1."""

    name: str
    value: str  # of KEY
    regime: str
    accuracy: float
    ceiling: float | None  # of a perfect observer of its frames, where all questions have one


@dataclass(frozen=True)
class Pooled:
    """The members of one place under one rule, against cells that are none of them. Accuracies 0 to 1."""

    name: str
    regime: str
    rule: str
    accuracy: float
    reference: str
    reference_accuracy: float
    effect: Effect  # accuracy minus the reference's
    p: float  # adjusted over all lines


def pool_answers(answers: Sequence[Sample], rule: str) -> Sample:
    """One line of the members' lines of one question; members that could not answer it have no say."""
    given = [one for one in answers if is_answered(one)]
    if not given:
        return answers[0]
    probable = dict(zip(given[0]["options"], _mean_probability(given), strict=False))
    if rule == VOTES:
        votes = Counter(map(_said, given))
        return max(given, key=lambda one: (votes[_said(one)], probable.get(_said(one), 0.0)))
    choice = max(probable, key=probable.__getitem__)
    return {**given[0], "prediction": choice, "choice": choice, "correct": choice == given[0]["answer"]}


def _said(line: Sample) -> str:
    """The likeliest option, and of open questions what was said."""
    return line.get("choice") or normalised(str(line["prediction"]))


def _mean_probability(given: Sequence[Sample]) -> NDArray:
    """Of each option; empty where a member's choice is not by the likelihood of whole options."""
    if not all(map(_is_by_likelihood, given)):
        return np.empty(0)
    scores = np.asarray([one["loglik"] for one in given], dtype=float)
    shares = np.exp(scores - scores.max(1, keepdims=True))
    return (shares / shares.sum(1, keepdims=True)).mean(0)


def _is_by_likelihood(line: Sample) -> bool:
    scores = line.get("loglik") or ()
    return bool(scores) and line["options"][int(np.argmax(scores))] == line.get("choice")


def _with_options(line: Sample) -> Sample:
    return line if line.get("choice") is None else {**line, "correct": is_restricted_correct(line)}


def ensembles(cells: Sequence[Cell], key: str) -> tuple[list[Alone], list[Pooled]]:
    """Every member alone, and every ensemble by place, regime, rule and reference.

    Raises BadInput where nothing differs in the key alone, nothing else has finished, and where members are not
    finished, or not with the same seeds.
    """
    if key in SEEDS:
        raise BadInput(f"{key} is a seed, over which every table pools already: an ensemble needs another setting")
    found = by_place([cell for cell in cells if cell.status != "damaged"], key)
    members = {place: by_value for place, by_value in found.items() if len(by_value) > 1}
    if not members:
        raise BadInput(f"no two cells differ in {key} alone: there is nothing to pool")
    unfinished = (run for by_value in members.values() for runs in by_value.values() for run in runs)
    if lacking := next((run for run in unfinished if run.status != "done"), None):
        raise BadInput(f"{lacking.folder} is {lacking.status}: an ensemble without one of its members is another one")
    done = [cell for cell in cells if cell.status == "done"]
    refuse_mixed(done)

    @cache
    def read(run: Cell) -> list[Sample]:
        return [_with_options(line) for line in run.samples()]

    same = common(found)
    others = _alike({place: found[place] for place in found if place not in members}, key, same, read)
    if not others:
        raise BadInput(f"all finished cells are members of {key}: an ensemble is told by a cell that is none")
    scored = all(map(_is_by_likelihood, (line for run in done for line in read(run) if is_answered(line))))
    alone, lines, ps = [], [], []
    for place, by_value in members.items():
        name = " ".join(told(place, same)) or f"{len(by_value)} cells"
        for regime, value in product(regimes(done), sorted(by_value, key=by_number)):
            alone.append(_alone(name, value, regime, by_value[value], read))
        for rule in RULES if scored else (VOTES,):
            own = _pooled_runs(by_value, key, rule, read)
            for regime, (reference, theirs) in product(regimes(done), others.items()):
                columns = Columns([list(own), theirs], regime, partial(_read, own, read))
                accuracy, other = map(float, columns.accuracies)
                effect = columns.effect(np.array([1.0, -1.0]))
                lines.append((name, regime, rule, accuracy, reference, other, effect))
                ps.append(sign_flip(columns.sums[:, 0] - columns.sums[:, 1]))
    return alone, [Pooled(*line, p) for line, p in zip(lines, holm(ps), strict=True)]


def _alike(
    others: Mapping[Place, Mapping[str, list[Cell]]], key: str, same: set[tuple[str, str]], read: Read
) -> dict[str, list[Cell]]:
    """Name -> runs of the finished ones; those that said the same to everything, as strategies do at the trained
    length, are one of several names."""
    names: dict[tuple, list[str]] = {}
    runs_of: dict[tuple, list[Cell]] = {}
    for place, ((value, runs),) in ((place, by_value.items()) for place, by_value in others.items()):
        if all(run.status == "done" for run in runs):
            answers = tuple(sorted((str(run.seeds), line["id"], _said(line)) for run in runs for line in read(run)))
            names.setdefault(answers, []).append(" ".join([*told(place, same), f"{key}={value}"]))
            runs_of.setdefault(answers, runs)
    return {" or ".join(alike): runs_of[answers] for answers, alike in names.items()}


def _alone(name: str, value: str, regime: str, runs: Sequence[Cell], read: Read) -> Alone:
    (accuracy,) = Columns([runs], regime, read).accuracies
    ceilings = [line["ceiling"] for run in runs for line in of_regime(read(run), regime)]
    known = [one for one in ceilings if one is not None]
    return Alone(name, value, regime, float(accuracy), mean(known) if len(known) == len(ceilings) else None)


def _pooled_runs(by_value: Mapping[str, Sequence[Cell]], key: str, rule: str, read: Read) -> dict[Cell, list[Sample]]:
    """For each run of the first member the answers of it and its like of the same seeds."""
    first, *_ = by_value.values()
    pooled = {}
    for run in first:
        alike = []
        for value, runs in by_value.items():
            mine = [one for one in runs if one.seeds == run.seeds]
            if not mine:
                seeds = ", ".join(f"{name}={seed}" for name, seed in run.seeds)
                raise BadInput(f"{key}={value} has no finished cell of {seeds}, as {run.folder} is")
            alike.append({line["id"]: line for line in read(mine[0])})
        pooled[run] = [pool_answers([one[line["id"]] for one in alike], rule) for line in read(run)]
    return pooled


def _read(own: Mapping[Cell, list[Sample]], read: Read, run: Cell) -> list[Sample]:
    """What the run's ensemble answered, where it stands for one."""
    return own[run] if run in own else read(run)


def write_ensemble(folder: str | Path, key: str) -> list[Path]:
    """ensemble.md and ensemble.csv in the sweep's folder."""
    folder = Path(folder)
    cells = read_sweep(folder)
    alone, pooled = ensembles(cells, key)
    explained = (
        f"Answers of the cells that differ in {key} alone, taken together. Accuracy: the likeliest option is the "
        "answer, where options were scored. Points of it [95 % interval, bootstrap over videos] {each training} on the "
        f"same questions. p: adjusted over all lines (Holm); told apart: p < {LEVEL}, the same sign in every training."
    )
    parts = [f"# Ensemble: {printable(folder.name)}\n\n{provenance_lines(folder, cells)}\n{explained}\n"]
    if left := [cell.name for cell in cells if cell.status != "done"]:
        parts.append(f"Not finished, and left out: {', '.join(map(printable, left))}.\n")
    parts += ["## Each alone\n", _alone_table(alone, key), "## Together\n", _pooled_table(pooled)]
    return write_page_and_table(folder, "ensemble", "\n".join(parts), [_row(one, alone) for one in pooled])


def _alone_table(alone: Sequence[Alone], key: str) -> str:
    """ceiling: of a perfect observer of what that member was shown."""
    rows = [
        [one.name, one.regime, one.value, percent(one.accuracy), percent(one.ceiling) if one.ceiling else MISSING]
        for one in alone
    ]
    return markdown_table(["members", "regime", key, "accuracy in %", "ceiling in %"], rows)


def _pooled_table(pooled: Sequence[Pooled]) -> str:
    header = ["members", "regime", "rule", "accuracy in %", "against", "accuracy in %", "difference", "p", "told apart"]
    rows = [
        [
            *(one.name, one.regime, one.rule, percent(one.accuracy), one.reference, percent(one.reference_accuracy)),
            *(str(one.effect), f"{one.p:.3f}", "yes" if one.effect.is_told_apart(one.p) else ""),
        ]
        for one in pooled
    ]
    return markdown_table(header, rows)


def _row(one: Pooled, alone: Sequence[Alone]) -> dict[str, object]:
    members = (member for member in alone if (member.name, member.regime) == (one.name, one.regime))
    return {
        "members": one.name,
        "regime": one.regime,
        "alone": " ".join(f"{member.value}:{member.accuracy:.5f}" for member in members),
        "rule": one.rule,
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
