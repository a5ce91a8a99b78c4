"""Launcher: what Hydra calls with all cells of a multirun; it plans them and hands what is left to worker processes.

    hydra.launcher.workers=auto     one process per GPU; without any, one per core
    hydra.launcher.gpus_per_worker=2 model.device=balanced     one per two GPUs, each model over both
    hydra/launcher=slurm            jobs of Slurm, each a crew on its node: submitit_engine.py; slurm_local tries it
    hydra/launcher=ray              workers on the nodes of a Ray cluster: ray_engine.py
    hydra/launcher=basic            Hydra's own, cell after cell in this process; joblib, submitit and others work too

    hydra/sweeper=optuna hydra.sweeper.direction=maximize hydra.sweeper.n_jobs=2 'rope_strategy.factor=interval(1,4)'
                                    a search, here by Optuna, two cells at a time; what a cell is worth: plan.objective

Hydra's callbacks on_job_start and on_job_end are not called, for the cells run in other processes: Hydra's own
launchers call them, once a cell.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.utils import instantiate
from omegaconf import DictConfig

from intpv.record.lock import Occupied, holder, lock
from intpv.record.run_folder import RunFolder

from ..run.messages import reason
from ..run.outcome import is_full, outcome
from ..run.provenance import of_cell
from . import crew, plan
from .composer import composer_of
from .crew import Patience
from .devices import count, grouped, visible
from .display import Display

log = logging.getLogger(__name__)


class Engine(Protocol):
    """Runs planned cells somewhere and tells what becomes of each; the plan is the same whatever the engine."""

    def run(
        self, cells: Sequence[plan.Planned], workers: int | str, gpus: int, on_event: Callable, patience: Patience
    ) -> None:
        """Return when no more of the cells is being run; `on_event` as crew.run has it."""


class LocalEngine:
    """Worker processes on this machine."""

    def run(
        self, cells: Sequence[plan.Planned], workers: int | str, gpus: int, on_event: Callable, patience: Patience
    ) -> None:
        """See Engine."""
        devices = grouped(visible(), gpus)
        number = count(workers, devices)
        crew.run(plan.batches(cells, number), number, crew.processes(number, devices), on_event, patience)


class SweepLauncher(Launcher):
    """See the module."""

    def __init__(self, workers: int | str = "auto", gpus_per_worker: int = 1, engine: Engine | None = None) -> None:
        self.workers, self.gpus = workers, gpus_per_worker
        self.engine = engine or LocalEngine()
        self._earlier: list[plan.Planned] = []  # cells of a search, which come in several launches

    def setup(self, *, hydra_context, task_function, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        composer = composer_of(self.loader)
        planned = [composer.planned(self.config, overrides) for overrides in job_overrides]
        cells = plan.distinct(planned)
        sweep, folder = cells[0].config["sweep"], cells[0].folder.parent
        left = plan.left(cells, sweep["retry"])
        if sweep["dry_run"]:
            from .dry_run import print_plan

            print_plan(cells, left)
        else:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._earlier += cells
                plan.claim(folder, self._earlier, plan.searched(self.config, job_overrides))
                places = {cell.name: place for place, cell in reversed(list(enumerate(planned)))}

                def prepare(cell: plan.Planned, write: bool) -> plan.Planned:
                    place = places[cell.name]
                    config = composer.config(self.config, job_overrides[place])
                    return plan.prepared(cell, config, initial_job_idx + place, write)

                self._run(cells, left, prepare)
            except OSError as error:
                if not is_full(error):
                    raise
                outcome.stopped = reason(error)
        return [plan.returned(cell) for cell in planned]

    def _run(self, cells: Sequence[plan.Planned], left: Sequence[plan.Planned], prepare: Callable) -> None:
        wanted = {cell.name for cell in left}
        for cell in cells:  # left alone, yet part of how the sweep stands
            if cell.name not in wanted and cell.status != "done":
                how = f"{cell.status} before; sweep.retry={cell.status} runs it again"
                outcome.failed[cell.name] = (how, cell.overrides)
        sweep = cells[0].config["sweep"]
        patience = Patience(sweep["silent_s"], sweep["timeout_s"])
        busy = {cell.name: who for cell in left if (who := holder(cell.folder))}
        if busy and len(busy) == len(left):
            name, who = next(iter(busy.items()))
            raise Occupied(f"all {len(left)} cells that are left are being run elsewhere, {name} by {who}")
        ready = []
        for cell in left:
            damage = cell.state.reason
            ready.append(prepare(cell, cell.name not in busy))
            if damage and cell.status == "done" and cell.name not in busy:
                log.warning("%s: written anew", damage)
        with Display(len(cells), len(cells) - len(left)) as display:
            handle = _Handle(display)
            while free := [cell for cell in ready if cell.name not in handle.ended and _is_free(cell)]:
                before = len(handle.ended)
                self.engine.run(free, self.workers, self.gpus, handle, patience)
                if outcome.stopped or len(handle.ended) == before:
                    break
        for cell in left:  # what others are at may be done by now
            if cell.name not in handle.ended and not outcome.stopped and cell.status != "done":
                outcome.elsewhere[cell.name] = f"{cell.name} is being run by {holder(cell.folder) or 'another process'}"


def _is_free(cell: plan.Planned) -> bool:
    return cell.status != "done" and not holder(cell.folder)


class _Handle:
    """An event of a worker: to the screen, to the outcome and, where the worker can no longer do it, to the folder."""

    def __init__(self, display: Display):
        self.display = display
        self.ended: set[str] = set()  # cells that need not be tried again

    def __call__(self, worker: int, cell: plan.Planned | None, event: dict) -> None:
        outcome.changed = True
        if cell is not None:
            self._of_cell(cell, event)
        self.display.event(worker, event)

    def _of_cell(self, cell: plan.Planned, event: dict) -> None:
        kind = event["event"]
        if kind in ("done", "failed", "crash", "disk", "lost"):
            self.ended.add(cell.name)
        if kind == "crash":
            _record_crash(cell, event)
        if kind in ("failed", "crash", "lost"):
            outcome.failed[cell.name] = (event.get("reason") or event["fate"], cell.overrides)
        if kind == "disk":
            outcome.stopped = event["reason"]
        if kind == "done" and event["coverage"] < 1:
            outcome.incomplete.append(cell.name)


def _record_crash(cell: plan.Planned, event: dict) -> None:
    """For the worker, which no longer can; what cannot be recorded is in the last words nevertheless."""
    try:
        with lock(cell.folder):
            RunFolder(cell.folder).crash(event["fate"], event["trace"])
    except Occupied:  # another process has gone on with it
        return
    except OSError as error:
        log.warning("%s: %s", cell.name, reason(error))
    try:
        logger, known = instantiate(cell.config["logger"]), RunFolder(cell.folder).environment()
        sweep, config = cell.config["sweep"]["name"], dict(cell.config)
        if known:
            config["environment"] = of_cell(known, cell.folder, sweep)
        logger.start(sweep, cell.name, config, cell.choices)
        logger.finish({}, failed=True)
    except Exception as error:
        log.warning("%s: %s", cell.name, reason(error))


def _register() -> None:
    """Make the class known as hydra_plugins.intpv.SweepLauncher: Hydra takes plugins from that package alone, and our
    wheel installs one top-level name."""
    SweepLauncher.__module__ = "hydra_plugins.intpv"
    Plugins.instance().register(SweepLauncher)  # first: it looks for the plugins that are really installed
    package: Any = sys.modules.setdefault("hydra_plugins", ModuleType("hydra_plugins"))
    package.intpv = sys.modules["hydra_plugins.intpv"] = sys.modules[__name__]


_register()
