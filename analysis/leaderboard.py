"""Leaderboard: which RoPE strategy holds wherever it was tried, beyond the frames of training.

python -m analysis.leaderboard runs/strategies runs/strategies_smollm2 --reference visual_only

A setting is a model with its training seed, a number of frames and a regime. A strategy holds in a setting where it is
the best or its difference to the best is not told from 0 (95 % interval over videos). The best of many owes a part to
luck, which makes holding harder, not easier. Against the reference, which nothing was chosen by, each difference is
tested by flipping the signs of whole videos, and the p-values of all strategies and settings are adjusted together
(Holm 1979).
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from intpv.errors import BadInput
from intpv.escape import markdown_table
from intpv.metrics.cell import LABEL
from intpv.metrics.interval import video_sums
from intpv.metrics.paired import PairedDifference, paired_difference, question_differences
from intpv.metrics.sample import is_correct
from intpv.metrics.significance import holm, sign_flip
from intpv.record.samples import Sample

from .page_and_table import write_page_and_table
from .pairs import difference_text
from .provenance import provenance_lines
from .runs import Cell, of_run, read_sweep, say
from .score_columns import regimes
from .units import percent

LEVEL = 0.05  # of all tests together


class Setting(NamedTuple):
    model: str
    frames: int
    regime: str  # "" where a benchmark has none

    def __str__(self) -> str:
        return f"{self.model}, {self.frames} {self.regime}".strip()


@dataclass(frozen=True)
class Standing:
    """A strategy in a setting."""

    accuracy: float
    behind: PairedDifference | None  # its accuracy minus the best's; None for the best itself
    against: PairedDifference | None  # minus the reference's; None for the reference
    p: float  # adjusted; 1 for the reference

    @property
    def holds(self) -> bool:
        if self.behind is None:
            return True
        end = self.behind.ci95_high
        return (self.behind.high if end is None else end) >= 0

    @property
    def gap(self) -> float:
        return self.behind.mean if self.behind else 0.0

    @property
    def is_told_apart(self) -> bool:
        return self.p < LEVEL


Board = Mapping[str, Mapping[Setting, Standing]]  # by strategy, the first holds at most settings


def leaderboard(cells: Sequence[Cell], reference: str) -> Board:
    """Of finished cells in full precision beyond the fewest frames.

    Raises BadInput where the reference, or a strategy in a setting, is missing.
    """
    lines = dict(_lines(cells))
    strategies = list(dict.fromkeys(strategy for strategy, _ in lines))
    settings = sorted({setting for _, setting in lines})
    if reference not in strategies:
        raise BadInput(f"--reference must be a strategy that was run ({', '.join(strategies)}), got {reference}")
    for key in ((strategy, setting) for strategy in strategies for setting in settings):
        if key not in lines:
            raise BadInput(f"{key[0]} has no finished cell at {key[1]}: what is compared must be run everywhere")
    scores = {key: float(np.mean([is_correct(line) for line in own])) for key, own in lines.items()}
    best = {setting: max(strategies, key=lambda strategy: scores[strategy, setting]) for setting in settings}
    others = [key for key in lines if key[0] != reference]
    adjusted = dict(zip(others, holm([_p(lines[key], lines[reference, key[1]]) for key in others]), strict=True))
    board = {
        strategy: {
            setting: Standing(
                scores[strategy, setting],
                _difference(lines, strategy, best[setting], setting),
                _difference(lines, strategy, reference, setting),
                adjusted.get((strategy, setting), 1.0),
            )
            for setting in settings
        }
        for strategy in strategies
    }
    return dict(sorted(board.items(), key=lambda item: _rank(item[1])))


def write_leaderboard(folders: Sequence[str], reference: str, out: str) -> list[Path]:
    """leaderboard.md and leaderboard.csv in the folder `out`."""
    sweeps = [read_sweep(folder) for folder in folders]
    cells = [cell for sweep in sweeps for cell in sweep]
    board = leaderboard(cells, reference)
    stated = "\n".join(provenance_lines(Path(folder), sweep) for folder, sweep in zip(folders, sweeps, strict=True))
    Path(out).mkdir(parents=True, exist_ok=True)
    page = f"# Leaderboard\n\n{stated}\n{_told(board, reference)}\n\n{_page(board)}"
    return write_page_and_table(Path(out), "leaderboard", page, list(_rows(board)))


def _lines(cells: Sequence[Cell]) -> Iterator[tuple[tuple[str, Setting], list[Sample]]]:
    """What each strategy answered at each setting, of all splits together."""
    done = [cell for cell in cells if cell.status == "done" and cell.kv_quant == "none"]
    fewest = min((cell.frames for cell in done), default=0)
    found: dict[tuple[str, Setting], list[Sample]] = {}
    for cell in done:
        if cell.frames > fewest:
            seed, named = dict(cell.seeds).get("model.seed"), cell.recipe or cell.model
            model = named if seed is None else f"{named} {seed}"
            for regime in regimes(done):
                mine = [line for line in of_run(cell.samples(), cell) if line["labels"].get(LABEL, "") == regime]
                if mine:  # a sweep may have had clips of one regime alone
                    found.setdefault((cell.strategy, Setting(model, cell.frames, regime)), []).extend(mine)
    yield from found.items()


def _difference(lines: Mapping, strategy: str, other: str, setting: Setting) -> PairedDifference | None:
    return None if strategy == other else paired_difference(lines[strategy, setting], lines[other, setting])


def _p(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float:
    return sign_flip(video_sums(question_differences(ours, theirs), lambda line: (line["difference"],))[:, 0])


def _rank(standings: Mapping[Setting, Standing]) -> tuple[int, float]:
    held = sum(one.holds for one in standings.values())
    return -held, -min(one.gap for one in standings.values())


def _told(board: Board, reference: str) -> str:
    settings = len(next(iter(board.values())))
    return (
        f"{len(board)} strategies in {settings} settings. Held: settings where a strategy is the best or not told from "
        f"it. Worst: where it is furthest behind the best, in points of accuracy. Then accuracy in % by setting, and "
        f"behind it the difference to {reference} in points where it is told from 0 (p < {LEVEL} over all "
        f"{(len(board) - 1) * settings} comparisons together, Holm)."
    )


def _page(board: Board) -> str:
    settings = list(next(iter(board.values())))
    rows = []
    for strategy, standings in board.items():
        at, worst = min(standings.items(), key=lambda item: item[1].gap)
        held = f"{sum(one.holds for one in standings.values())} of {len(settings)}"
        rows.append([strategy, held, f"{difference_text(worst.behind)} ({at})" if worst.behind else "best everywhere"])
        rows[-1] += [_shown(standings[setting]) for setting in settings]
    return markdown_table(["RoPE", "held", "worst", *map(str, settings)], rows)


def _shown(one: Standing) -> str:
    told = f" ({100 * one.against.mean:+.1f})" if one.against and one.is_told_apart else ""
    return f"{percent(one.accuracy)}{told}"


def _rows(board: Board) -> Iterator[dict[str, object]]:
    for strategy, standings in board.items():
        for setting, one in standings.items():
            row: dict[str, object] = {"rope_strategy": strategy, **setting._asdict(), "accuracy": one.accuracy}
            for name, found in (("behind", one.behind), ("against", one.against)):
                for key in ("mean", "ci95_low", "ci95_high"):
                    row[f"{name}_{key}"] = getattr(found, key) if found else None
            yield {**row, "p_holm": one.p, "holds": one.holds}


def main() -> int:
    parser = ArgumentParser("python -m analysis.leaderboard", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sweeps", nargs="+", metavar="runs/<sweep>")
    parser.add_argument("--reference", default="visual_only", help="(default: %(default)s)")
    parser.add_argument("--out", help="folder (default: that of the first sweep)")
    given = parser.parse_args()
    return say(lambda: write_leaderboard(given.sweeps, given.reference, given.out or given.sweeps[0]))


if __name__ == "__main__":
    sys.exit(main())
