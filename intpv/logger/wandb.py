"""W&B mirror: each cell is a run of W&B, and each sweep one more run with its curves and a table of all cells."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from intpv.bounds import check_flag, check_text, check_whole
from intpv.errors import BadInput
from intpv.escape import printable
from intpv.logger.mirror import Curve, Figure, Mirror, only_warn, series
from intpv.logger.wandb_run import Mode, mode, open_run, staged_with, variable
from intpv.record.cell_id import config_hash


def run_id(sweep: str, name: str) -> str:
    """The same for every attempt at a cell, another one in every sweep."""
    return config_hash({"group": sweep, "name": name})  # a key called `sweep` would not count


def results_hash(folder: Path) -> str:
    """SHA-256 in hex of what a run folder holds, by which W&B's run is told from one of an earlier attempt."""
    content = hashlib.sha256()
    for file in _results(folder):
        content.update(file.read_bytes())
    return content.hexdigest()


def _results(folder: Path) -> list[Path]:
    """A failed cell has no metrics, and perhaps no answers."""
    return [folder / name for name in RESULTS if (folder / name).exists()]


RESULTS = ("samples.jsonl", "metrics.json")  # what of a run folder is an artifact of its run
HASH = "results_sha256"  # where a run's summary has results_hash
TAG = 64  # characters W&B allows
COLUMNS = ("id", "question", "kind", "options", "answer", "prediction", "correct", "valid", "choice", "ceiling")


@dataclass
class WandbMirror(Mirror):
    """A run's group is the sweep, its name the cell, its id a hash of both, its tags the options chosen.

    What is None here, or only the convention above, is as W&B's own variables say: WANDB_PROJECT, WANDB_MODE,
    WANDB_NAME, ..., all but WANDB_RUN_ID, under which the cells of a sweep would overwrite each other; an
    agent of `wandb sweep`, which starts each cell by itself, is obeyed in that too.
    """

    project: str | None = None  # None: WANDB_PROJECT, else intpv
    entity: str | None = None  # None: WANDB_ENTITY, else the account's own
    offline: bool | None = None  # None: as WANDB_MODE says, else offline
    # W&B makes a folder `wandb` in it, send it later with `wandb sync`; None: WANDB_DIR, else here
    dir: str | None = None
    tags: Sequence[str] = ()  # beside those of WANDB_TAGS and of the options
    notes: str | None = None  # None: WANDB_NOTES
    system: bool = False  # W&B's own statistics of CPU, memory and GPU
    strips: int = 4  # videos per cell whose frames are shown in the table `samples`; 0: no table
    questions: int = 64  # rows of that table at most
    _run: Any = field(default=None, init=False, repr=False)
    _shown: list = field(default_factory=list, init=False, repr=False)  # (strip, records) per video
    _hash: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("project", "entity", "dir", "notes"):
            if getattr(self, name) is not None:
                check_text(f"logger.{name}", getattr(self, name))
        if self.offline is not None:
            check_flag("logger.offline", self.offline)
        if not isinstance(self.tags, list | tuple) or not all(isinstance(tag, str) for tag in self.tags):
            raise BadInput(f"logger.tags must be a list of texts, got {self.tags}")
        check_flag("logger.system", self.system)
        check_whole("logger.strips", self.strips, 0)
        check_whole("logger.questions", self.questions, 0)

    def start(self, sweep: str, cell: str, config: dict, choices: Mapping[str, str | None]) -> None:
        """Open the run. The config is handed to init as a plain dict: later updates of parallel offline runs got lost.

        It also holds the `choices`, so that runs can be grouped by an option's name.
        """
        chosen = {group: option for group, option in choices.items() if option is not None}
        plain = json.loads(json.dumps({**config, "choices": chosen}))  # raises here for anything that is not
        tags = [f"{group}={option}" for group, option in chosen.items()]
        self._run, self._shown, self._hash = None, [], ""
        if self._mode == "disabled":
            self.strips = 0  # nobody looks at the frames
            return
        with only_warn(self):
            self._run = self._open(sweep, cell, name=cell, job_type="cell", tags=tags, config=plain)

    def video(self, records: Sequence[Mapping], strip: UInt8[np.ndarray, "h w C"] | None) -> None:
        """Keep the first videos of this attempt; those of an earlier one are not shown again."""
        if len(self._shown) < self.strips:
            self._shown.append((strip, list(records)))

    def results(self, folder: Path) -> None:
        """samples.jsonl and metrics.json as an artifact `results-<run id>`; `finish` puts their hash in the summary."""
        if self._run is None:
            return
        import wandb

        with only_warn(self), staged_with(self._run):
            artifact = wandb.Artifact(f"results-{self._run.id}", "results")
            for file in _results(folder):
                artifact.add_file(str(file))
            if artifact.manifest.entries:
                logged = self._run.log_artifact(artifact)
                if self.must_arrive:  # an upload that fails later would only be noted in W&B's own log
                    logged.wait()
            self._hash = results_hash(folder)

    def figures(self, figures: Sequence[Figure]) -> None:
        """Each as an image under `figures/` and its numbers as a table under `tables/`."""
        if self._run is None or not figures:
            return
        import wandb

        with only_warn(self), staged_with(self._run):
            self._run.log({f"figures/{figure.key}": wandb.Image(str(figure.path)) for figure in figures})
            for figure in figures:
                rows = [[_shown(value) for value in row] for row in figure.values()]
                self._run.log({f"tables/{figure.key}": wandb.Table(list(figure.columns()), rows)})

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
                if self._hash:  # last: it says that all else was logged
                    self._run.summary[HASH] = self._hash
            finally:
                self._run.finish(exit_code=int(failed))
        self._run = None

    def summary(self, sweep: str, rows: Sequence[Mapping], curves: Sequence[Curve]) -> None:
        """Table `cells`, each curve as a chart, and its points as history with `frames` as the step metric."""
        if self._mode == "disabled":
            return
        named, config = f"{sweep} summary", {"sweep": sweep}
        with only_warn(self), self._open(sweep, "summary", named, "summary", [], config) as run, staged_with(run):
            run.define_metric("frames")
            for curve in curves:
                run.define_metric(f"{curve.key}/*", step_metric="frames")
            for frames, values in series(curves).items():
                run.log({"frames": frames, **values})
            run.log({"cells": _cells(rows)} | {f"curves/{curve.key}": _chart(curve) for curve in curves})

    @property
    def _mode(self) -> Mode:
        return mode() if self.offline is None else "offline" if self.offline else "online"

    def _open(self, sweep: str, identity: str, name: str, job_type: str, tags: Sequence[str], config: dict) -> Any:
        own = variable("RUN_ID") if variable("SWEEP_ID") else ""  # W&B's agent waits for the run that it has named
        tags = (*variable("TAGS").split(","), *self.tags, *tags)
        return open_run(
            os.path.abspath(self.dir or variable("DIR") or "."),  # W&B may run in a process that started elsewhere
            self._mode,
            self.system,
            self.must_arrive,
            id=own or run_id(sweep, identity),
            project=self.project or variable("PROJECT") or "intpv",
            entity=self.entity,  # W&B itself reads what is None
            notes=self.notes,
            group=variable("RUN_GROUP") or sweep,
            name=variable("NAME") or name,
            job_type=variable("JOB_TYPE") or job_type,
            tags=sorted({tag.strip()[:TAG] for tag in tags if tag.strip()}),
            config=config,
        )


def _samples(shown: Sequence[tuple], limit: int) -> Any:
    """A row per question, the frames of its video first."""
    import wandb

    table = wandb.Table(["frames", *COLUMNS])
    for strip, records in shown:
        picture = None if strip is None else wandb.Image(strip)
        for record in records[: limit - len(table.data)]:
            shown_options = record | {"options": ", ".join(record["options"])}
            table.add_data(picture, *(_shown(shown_options.get(name)) for name in COLUMNS))
    return table


def _cells(rows: Sequence[Mapping]) -> Any:
    import wandb

    columns = list(dict.fromkeys(name for row in rows for name in row))
    return wandb.Table(columns, [[_shown(row.get(name)) for name in columns] for row in rows])


def _shown(value: Any) -> Any:
    """A cell of a table: W&B escapes HTML itself, not what turns or hides text."""
    return printable(value) if isinstance(value, str) else value


def _chart(curve: Curve) -> Any:
    import wandb

    lines = list(curve.lines.values())
    xs, ys = [list(line) for line in lines], [list(line.values()) for line in lines]
    return wandb.plot.line_series(xs, ys, keys=list(curve.lines), title=curve.title, xname="frames")
