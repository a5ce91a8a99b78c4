"""Effects: weighted sums of the accuracies of cells that were asked the same questions, with intervals over videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from intpv.bounds import shown
from intpv.errors import BadInput
from intpv.metrics.interval import bootstrap, video_sums
from intpv.metrics.sample import is_correct
from intpv.record.composed import read_composed

from .pairs import Read
from .runs import Cell, of_run
from .score_columns import of_regime
from .seeds import TRAINING
from .units import interval_text

LEVEL = 0.05  # of all lines of a table together


def _points(share: float) -> str:
    """0.123 -> +12.3; never -0.0."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"


@dataclass(frozen=True)
class Effect:
    """A weighted sum of accuracies, 0 to 1, with its interval and the same of each training alone."""

    value: float
    low: float | None
    high: float | None
    trainings: tuple[float, ...] = ()  # by model.seed, where there are several

    def __str__(self) -> str:
        alone = f" {{{', '.join(map(_points, self.trainings))}}}" if self.trainings else ""
        return f"{_points(self.value)}{interval_text(self.low, self.high, 1, self.value)}{alone}"

    def is_told_apart(self, p: float) -> bool:
        """Whether p, adjusted for all that is told beside it, is under 0.05 and every training shows the same sign."""
        return p < LEVEL and len({np.sign(one) for one in self.trainings or (self.value,)}) == 1

    @property
    def row(self) -> dict[str, object]:
        """Of a table."""
        trainings = " ".join(f"{one:.5f}" for one in self.trainings)
        return {"value": self.value, "ci95_low": self.low, "ci95_high": self.high, "trainings": trainings}


class Columns:
    """Columns of cells, each the runs of one setting under all seeds, and their answers in one regime. `read` may be
    one that remembers, where a cell stands in several.

    Raises BadInput where two columns were not asked the same questions.
    """

    def __init__(self, columns: Sequence[Sequence[Cell]], regime: str, read: Read = Cell.samples):
        self.columns, self.regime, self.read = columns, regime, read
        self.sums = self._sums()  # (videos, columns + 1): right answers of each, and how many were asked

    @cached_property
    def _alone(self) -> list[NDArray]:
        seeds = sorted({seed for cell in self.columns[0] if (seed := dict(cell.seeds).get(TRAINING)) is not None})
        return [self._sums(seed) for seed in seeds] if len(seeds) > 1 else []

    @property
    def accuracies(self) -> NDArray:
        """Of each column, 0 to 1."""
        return _accuracies(self.sums.sum(0))

    def effect(self, weights: NDArray) -> Effect:
        """The sum of the columns' accuracies, each times its weight."""
        low, high = bootstrap(self.sums, lambda sums: _accuracies(sums) @ weights) or (None, None)
        alone = tuple(float(_accuracies(one.sum(0)) @ weights) for one in self._alone)
        return Effect(float(self.accuracies @ weights), low, high, alone)

    def _sums(self, training: int | None = None) -> NDArray:
        scores: list[dict[tuple[str, str], bool]] = []
        for cells in self.columns:
            runs = [cell for cell in cells if training is None or dict(cell.seeds).get(TRAINING) == training]
            lines = [line for run in runs for line in of_regime(of_run(self.read(run), run), self.regime)]
            scores.append({(line["video"], line["id"]): is_correct(line) for line in lines})
        first = scores[0].keys()
        for cells, other in zip(self.columns, scores, strict=True):
            if other.keys() != first:
                raise BadInput(
                    f"{cells[0].folder} and {self.columns[0][0].folder} were not asked the same questions of the same "
                    f"seeds: {len(other)} and {len(first)}, {len(other.keys() & first)} in common"
                )
        asked = [{"video": video, "id": id} for video, id in first]
        return np.asarray(video_sums(asked, lambda line: [*(one[line["video"], line["id"]] for one in scores), 1]))


def _accuracies(sums: NDArray) -> NDArray:
    return sums[..., :-1] / sums[..., -1:]


def setting_of(cell: Cell, key: str) -> str:
    """What a finished cell's option or config key was, as the command line has it. BadInput where there is no such."""
    composed = read_composed(cell.folder)
    assert composed is not None  # a finished cell has one: see read_sweep
    if key in composed.choices:
        return str(composed.choices[key])
    content: object = composed.config
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            raise BadInput(f"{cell.folder} has no setting {key}")
        content = content[part]
    return shown(content).replace(", ", ",") if isinstance(content, list) else shown(content)


def split_setting(setting: str) -> tuple[str, str]:
    """KEY=VALUE."""
    key, equals, value = setting.partition("=")
    if not (key and equals):
        raise BadInput(f"a setting is KEY=VALUE, got {setting}")
    return key, value
