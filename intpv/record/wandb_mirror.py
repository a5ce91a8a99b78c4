"""W&B mirror: each cell is a run of W&B, and each sweep one more run with its curves and a table of all cells."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from intpv.record.curve import Curve, series
from intpv.record.figure import Figure
from intpv.record.mirror import Mirror, only_warn
from intpv.record.wandb_run import open_run, run_id, staged_with

TAG = 64  # characters W&B allows
COLUMNS = ("id", "question", "kind", "options", "answer", "prediction", "correct", "valid", "choice", "ceiling")


@dataclass
class WandbMirror(Mirror):
    """A run's group is the sweep, its name the cell, its id a hash of both, its tags the options chosen."""

    project: str = "intpv"
    entity: str | None = None  # None: the account's own
    offline: bool = True
    dir: str = "."  # W&B makes a folder `wandb` in it; send it later with `wandb sync`
    strips: int = 4  # videos per cell whose frames are shown in the table `samples`; 0: no table
    questions: int = 64  # rows of that table at most
    _run: Any = field(default=None, init=False, repr=False)
    _shown: list = field(default_factory=list, init=False, repr=False)  # (strip, records) per video

    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """Open the run. The config is handed to init as a plain dict: later updates of parallel offline runs got lost.

        It also holds the `choices`, so that runs can be grouped by an option's name.
        """
        chosen = {group: option for group, option in choices.items() if option is not None}
        plain = json.loads(json.dumps({**config, "choices": chosen}))  # raises here for anything that is not
        tags = sorted({f"{group}={option}"[:TAG] for group, option in chosen.items()})
        self._run, self._shown = None, []
        with only_warn(self):
            self._run = self._open(sweep, cell, name=cell, job_type="cell", tags=tags, config=plain)

    def video(self, records: Sequence[Mapping], strip: UInt8[np.ndarray, "h w C"] | None) -> None:
        """Keep the first videos of this attempt; those of an earlier one are not shown again."""
        if len(self._shown) < self.strips:
            self._shown.append((strip, list(records)))

    def figures(self, figures: Sequence[Figure]) -> None:
        """Each as an image under `figures/` and its numbers as a table under `tables/`."""
        if self._run is None or not figures:
            return
        import wandb

        with only_warn(self), staged_with(self._run):
            self._run.log({f"figures/{figure.key}": wandb.Image(str(figure.path)) for figure in figures})
            for figure in figures:
                self._run.log({f"tables/{figure.key}": wandb.Table(figure.columns(), figure.values())})

    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """Log metrics and samples and close the run; without an exit code a failed cell would read "finished"."""
        if self._run is None:
            return
        with only_warn(self), staged_with(self._run):
            try:
                if known := {name: value for name, value in metrics.items() if value is not None}:
                    self._run.log(known)
                if self._shown:  # a call of its own: online a table can fail, and the metrics would go with it
                    self._run.log({"samples": _samples(self._shown, self.questions)})
            finally:
                self._run.finish(exit_code=int(failed))
        self._run = None

    def summary(self, sweep: str, rows: Sequence[Mapping], curves: Sequence[Curve]) -> None:
        """Table `cells`, each curve as a chart, and its points as history with `frames` as the step metric."""
        described = {"name": f"{sweep} summary", "job_type": "summary", "config": {"sweep": sweep}}
        with only_warn(self), self._open(sweep, "summary", **described) as run, staged_with(run):
            run.define_metric("frames")
            for curve in curves:
                run.define_metric(f"{curve.key}/*", step_metric="frames")
            for frames, values in series(curves).items():
                run.log({"frames": frames, **values})
            run.log({"cells": _cells(rows)} | {f"curves/{curve.key}": _chart(curve) for curve in curves})

    def _open(self, sweep: str, identity: str, **described: Any) -> Any:
        place = {"project": self.project, "entity": self.entity, "group": sweep}
        return open_run(self.dir, self.offline, id=run_id(sweep, identity), **place, **described)


def _samples(shown: Sequence[tuple], limit: int) -> Any:
    """A row per question, the frames of its video first."""
    import wandb

    table = wandb.Table(["frames", *COLUMNS])
    for strip, records in shown:
        picture = None if strip is None else wandb.Image(strip)
        for record in records[: limit - len(table.data)]:
            shown_options = record | {"options": ", ".join(record["options"])}
            table.add_data(picture, *(shown_options.get(name) for name in COLUMNS))
    return table


def _cells(rows: Sequence[Mapping]) -> Any:
    import wandb

    columns = list(dict.fromkeys(name for row in rows for name in row))
    return wandb.Table(columns, [[row.get(name) for name in columns] for row in rows])


def _chart(curve: Curve) -> Any:
    import wandb

    lines = list(curve.lines.values())
    xs, ys = [list(line) for line in lines], [list(line.values()) for line in lines]
    return wandb.plot.line_series(xs, ys, keys=list(curve.lines), title=curve.title, xname="frames")
