"""Send a sweep to W&B afterwards: python -m experiments.sync runs/mine --entity me

From the run folders alone, which are read and never written to; also of a sweep that was run with logger=none. A cell
becomes the run that logging it live makes, under the same id, with config, metrics, samples, figures, artifacts and
state; only the frames beside the answers are missing. W&B is asked first: what it has as it is here is not sent again,
and a run that arrived in part is sent anew. So the same command goes on after whatever stopped it.
"""

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import yaml
from omegaconf import OmegaConf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from intpv.errors import BadInput
from intpv.escape import printable
from intpv.logger.wandb import HASH, WandbMirror, results_hash, run_id
from intpv.logger.wandb_run import variable
from intpv.options import CONF
from intpv.record.composed import Composed, read_composed
from intpv.record.damaged import Damaged
from intpv.record.run_folder import RunFolder

from .run.command import command_line, read_command_line
from .run.messages import INTERRUPTED, explained
from .run.names import chosen
from .run.outcome import console
from .run.provenance import of_cell
from .run.sibling import analysis
from .status import read_cells

PAUSES = (0, 1, 2, 4)  # seconds: W&B shows what it got a moment later
AGAIN = "the same command goes on"

ATTEMPTS = 3  # at a cell, each of which asks again for everything that did not get through

State = tuple[str, str | None]  # of a run: as W&B calls it, and the hash of its results


def main() -> None:
    parser = command_line("sync", "Send a sweep to W&B afterwards, from its run folders alone.")
    parser.add_argument("sweep", type=Path, help="its folder, as runs/mine")
    parser.add_argument("--entity", help="the account or team; else logger.entity of the sweep, WANDB_ENTITY, your own")
    parser.add_argument("--project", help="else logger.project of the sweep, WANDB_PROJECT, intpv")
    parser.add_argument("--create-project", action="store_true", help="make the project where there is none")
    try:
        with explained("sync"):
            sys.exit(sync(read_command_line(parser, None)))
    except KeyboardInterrupt:
        print(f"\nsync: interrupted: {AGAIN}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def sync(given: Namespace) -> int:
    """The exit code: 1 where W&B lacks something in the end. BadInput for what cannot be sent at all."""
    cells, left = _ended(given.sweep)
    with _scratch() as scratch, redirect_stderr(StringIO()):  # W&B's own words: what matters of them is raised
        wandb = Wandb(given, cells[0], scratch)
        known, wanted = wandb.runs(given.create_project), {cell.name: _state(cell) for cell in cells}
        sending = [cell for cell in cells if known.get(wandb.id(cell.name)) != wanted[cell.name]]
        with _bar() as bar:
            for cell in bar.track(sending, description="sent"):
                with _in_a_line(f"{cell.name} did not arrive in {wandb.path}", AGAIN):
                    _persist(partial(wandb.send, cell))
        if sending or known.get(wandb.id("summary"), ("",))[0] != "finished":
            with _in_a_line(f"the sweep's summary did not arrive in {wandb.path}", AGAIN):
                _persist(partial(wandb.send_summary, given.sweep))
        missing = wandb.missing({cell.name: wanted[cell.name] for cell in sending})
    there = len(cells) - len(sending)
    print(f"{wandb.path}: {len(sending) - len(missing)} cells sent, {there} were there already")
    for line in [*left, *(f"{name}: W&B does not have it as it is here: {AGAIN}" for name in missing)]:
        print(printable(line))
    return int(bool(missing))


def _persist(send: Callable[[], None]) -> None:
    import wandb

    for left in reversed(range(ATTEMPTS)):
        try:
            return send()
        except BadInput:
            raise
        except Exception:  # the network, or whatever W&B makes of it; the last attempt tells
            with suppress(Exception):
                wandb.finish(exit_code=1)  # while a run is open there is no logging in for the next one
            if not left:
                raise
            time.sleep(1)


def _ended(sweep: Path) -> tuple[list[Path], list[str]]:
    """Folders of the cells that are done or failed, and a line for each that is not sent."""
    cells, left = [], []
    for found in read_cells(sweep):
        cell, kind, why = sweep / found.name, found.kind, found.reason
        if kind == "done" and (state := RunFolder(cell).state()).status != "done":
            kind, why = str(state.status), state.reason
        if kind in ("done", "failed", "oom") and (cell / ".hydra" / "config.yaml").exists():
            cells.append(cell)
        else:
            left.append(f"{found.name}: left out, {kind}{why and f': {why}'}")
    if not cells:
        raise BadInput(f"{sweep} holds no cell that has ended: nothing to send")
    return cells, left


def _state(cell: Path) -> State:
    """What W&B is to know of it."""
    done = RunFolder(cell).state(whole=False).status == "done"
    return "finished" if done else "failed", results_hash(cell)


class Wandb:
    """One sweep's runs in W&B. BadInput for a key that is refused, or where nothing answers."""

    def __init__(self, given: Namespace, cell: Path, scratch: Path) -> None:
        """The settings are the sweep's own where it had logger=wandb, else the option's; W&B's files lie in scratch."""
        config = _resolved(_composed(cell))
        settings = config.get("logger") or {}
        if not str(settings.get("_target_")).endswith(".WandbMirror"):
            settings = yaml.safe_load((CONF / "logger" / "wandb.yaml").read_text(encoding="utf-8"))
        self.sweep = (config.get("sweep") or {}).get("name") or cell.parent.resolve().name
        self.scratch = scratch
        self.api = _log_in()
        entity = given.entity or settings.get("entity") or self.api.settings["entity"] or self.api.default_entity
        project = given.project or settings.get("project") or variable("PROJECT") or "intpv"
        self.path = f"{entity}/{project}"
        own = {"project": project, "entity": entity, "offline": False, "dir": str(scratch), "system": False}
        self.mirror = WandbMirror(**{key: one for key, one in settings.items() if not key.startswith("_")} | own)
        self.mirror.must_arrive = True

    def id(self, name: str) -> str:
        """Of a cell's run; the sweep's own is called `summary`."""
        return run_id(self.sweep, name)

    def runs(self, create: bool = False) -> dict[str, State]:
        """Id -> what W&B has of it. BadInput for a project that is not there, which `create` makes."""
        with _in_a_line(f"W&B does not tell what is in {self.path}"):
            try:
                group = variable("RUN_GROUP") or self.sweep
                self.api.flush()  # it would give what it gave before
                found = self.api.runs(self.path, filters={"group": group}, per_page=200, lazy=False)
                return {run.id: (run.state, run.summary_metrics.get(HASH)) for run in found}
            except ValueError:  # there is no such project
                if create:
                    self.api.create_project(self.mirror.project, self.mirror.entity)
                    return {}
        raise BadInput(f"W&B has no project {self.path} that this key may see: --create-project makes it")

    def send(self, cell: Path) -> None:
        """As run/cell.py mirrors it while it runs."""
        run, composed = RunFolder(cell), _composed(cell)
        config = _resolved(composed)
        config["sweep"] = {**config.get("sweep", {}), "name": self.sweep}
        if (known := run.environment()) is not None:
            config["environment"] = of_cell(known, cell, self.sweep)
        self.mirror.start(self.sweep, cell.name, config, chosen(composed.choices))
        videos: dict[str, list] = {}
        for record in run.samples():
            videos.setdefault(record["video"], []).append(record)
        for records in videos.values():
            self.mirror.video(records, None)
        done = run.state(whole=False).status == "done"
        self.mirror.results(cell)
        if done:
            self.mirror.figures(analysis("figures").draw_cell(cell, into=self.scratch))
        self.mirror.finish(run.metrics(), failed=not done)

    def send_summary(self, sweep: Path) -> None:
        cells, rows = analysis("runs").read_sweep(sweep), analysis("logger_rows")
        self.mirror.summary(self.sweep, rows.rows(cells), rows.curves(cells))

    def missing(self, sent: Mapping[str, State]) -> list[str]:
        """Names of cells that W&B does not have as they are here, after having waited for it."""
        names = list(sent)
        for pause in PAUSES if sent else ():
            time.sleep(pause)
            known = self.runs()
            names = [name for name in sent if known.get(self.id(name)) != sent[name]]
            if not names:
                break
        return names


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for what W&B writes here: also its Api makes one for each run that it lists."""
    before = os.environ.get("WANDB_DIR")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # W&B's own process may still be at it
        os.environ["WANDB_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["WANDB_DIR"]
            else:
                os.environ["WANDB_DIR"] = before


def _log_in() -> Any:
    import wandb  # a third of a second that --help need not spend

    if not wandb.login(prompt=False, verify=False):
        raise BadInput("W&B has no key here (`wandb login` or WANDB_API_KEY), or WANDB_MODE=offline is set")
    with _in_a_line("W&B does not let this key in"):
        return wandb.Api()


def _composed(cell: Path) -> Composed:
    found = read_composed(cell)
    if found is None:
        raise Damaged(f"{cell}/.hydra/config.yaml is missing: it says what was run")
    return found


def _resolved(composed: Composed) -> dict[str, Any]:
    """The config with `${seed}` and its like replaced, as the cell had it."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(composed.config), resolve=True))


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


@contextmanager
def _in_a_line(what: str, more: str = "") -> Iterator[None]:
    """W&B has a dozen types of errors, whose first line tells."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(": ".join(filter(None, (what, said, more)))) from None


if __name__ == "__main__":
    main()
