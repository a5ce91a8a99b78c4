"""W&B mirror: each cell is a run of W&B, and each sweep one more run with its curves and a table of all cells."""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import UInt8

from intpv.bounds import check_flag, check_text, check_whole
from intpv.errors import BadInput
from intpv.escape import printable
from intpv.logger.mirror import Curve, Figure, Mirror, only_warn, series
from intpv.record.cell_id import config_hash

# A run of W&B: opened in silence, under an id of its own, with all its files in a folder of its own.


# what WANDB_MODE may say, and what it means
Mode = Literal["online", "offline", "disabled", "shared"]
MODES: dict[str, Mode] = {"": "offline", **{one: one for one in get_args(Mode)}}
MODES |= {"dryrun": "offline", "run": "online"}

log = logging.getLogger(__name__)


def variable(name: str) -> str:
    """W&B's variable of that name; "" where it is not set."""
    return os.environ.get(f"WANDB_{name}", "")


def mode() -> Mode:
    """As WANDB_MODE says; offline where it says nothing. BadInput for no mode."""
    said = variable("MODE").lower()
    if said not in MODES:
        raise BadInput(f"WANDB_MODE must be one of {', '.join(filter(None, MODES))}, got {said}")
    return MODES[said]


def run_id(sweep: str, name: str) -> str:
    """The same for every attempt at a cell, another one in every sweep."""
    return config_hash({"group": sweep, "name": name})  # a key called `sweep` would not count


def open_run(folder: str, mode: Mode, system: bool, **described: Any) -> Any:
    """wandb.init with `described` (id, project, config, ...); unsent offline attempts with the same id are removed.

    `system`: with W&B's own statistics of CPU, memory and GPU.

    Not logged in or no network: one warning, and the run is written offline, so that it can still be sent later.
    """
    import wandb  # a third of a second that other mirrors need not spend

    settings = _silent(wandb.Settings, system)
    Path(folder).mkdir(parents=True, exist_ok=True)  # W&B would go to the system's temporary folder without a word
    remove_unsent(Path(wandb.Settings(root_dir=folder).wandb_dir), described["id"])
    common = {"dir": folder, "settings": settings, "reinit": "finish_previous", **described}
    if mode != "offline":
        try:
            with redirect_stderr(StringIO()):  # login knows no silence
                known = wandb.login(prompt=False, verify=False)
            if not known:  # init would ask at the terminal, before every cell
                raise ConnectionError("not logged in (`wandb login` or WANDB_API_KEY), or WANDB_MODE=offline is set")
            return wandb.init(mode=mode, resume="allow", **common)
        except Exception as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            wandb.teardown()  # the failed attempt would hold the id
            log.warning("W&B is not online: %s. Written offline, send it later with `wandb sync`", reason)
    return wandb.init(mode="offline", **common)


def remove_unsent(folder: Path, identity: str) -> None:
    """Two offline folders of one id are two histories; the new attempt carries everything, so the old ones can go.

    A folder that was sent stays: sending the new one updates the same run.
    """
    for old in folder.glob(f"offline-run-*-{identity}"):
        if not any(old.glob("*.synced")):
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def staged_with(run: Any) -> Iterator[None]:
    """A table's files wait for their upload in the run's folder, not in the home folder: they go when the run goes."""
    if "WANDB_DATA_DIR" in os.environ:  # somebody has chosen a place
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(Path(run.dir).parent)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]


def _silent(settings: Any, system: bool) -> Any:
    """Nothing on the terminal; nothing of the machine, the code or the repository: the config says all that.

    A variable of W&B's that somebody has set is left to say otherwise.
    """
    ours = {
        "silent": True,
        "console": "off",
        "init_timeout": 30,  # seconds
        "save_code": False,
        "disable_code": True,
        "disable_git": True,
        "disable_job_creation": True,
        "x_disable_stats": not system,
        "x_disable_meta": True,
        "x_disable_machine_info": not system,
        "x_save_requirements": False,
    }
    return settings(**{key: value for key, value in ours.items() if not variable(key.upper())})


TAG = 64  # characters W&B allows
COLUMNS = ("id", "question", "kind", "options", "answer", "prediction", "correct", "valid", "choice", "ceiling")


@dataclass
class WandbMirror(Mirror):
    """A run's group is the sweep, its name the cell, its id a hash of both, its tags the options chosen.

    What is None here, or only the convention above, is as W&B's own variables say: WANDB_PROJECT, WANDB_MODE,
    WANDB_NAME, ..., all but WANDB_RUN_ID, under which the cells of a sweep would overwrite each other.
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
        self._run, self._shown = None, []
        if self._mode == "disabled":
            self.strips = 0  # nobody looks at the frames
            return
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
        tags = (*variable("TAGS").split(","), *self.tags, *tags)
        return open_run(
            os.path.abspath(self.dir or variable("DIR") or "."),  # W&B may run in a process that started elsewhere
            self._mode,
            self.system,
            id=run_id(sweep, identity),
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
