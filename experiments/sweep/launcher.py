"""Launcher: what Hydra calls with all cells of a multirun; it plans them and hands what is left to worker processes.

    hydra.launcher.workers=auto     one process per GPU; without any, one per core
    hydra.launcher.gpus_per_worker=2 model.device=balanced     one per two GPUs, each model over both
    hydra/launcher=basic            Hydra's own, cell after cell in this process; joblib, submitit and others work too

Hydra's callbacks on_job_start and on_job_end are not called: the cells run in other processes.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict

from intpv.record.run_folder import RunFolder

from ..outcome import outcome
from . import crew, job, plan
from .devices import count, grouped, visible
from .display import Display


class SweepLauncher(Launcher):
    """See the module."""

    def __init__(self, workers: int | str = "auto", gpus_per_worker: int = 1) -> None:
        self.workers, self.gpus = workers, gpus_per_worker

    def setup(self, *, hydra_context, task_function, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config
        # the sweeper composes every cell to check it before the launcher does so to run it: once is enough, 0.1 s each
        compose, composed = self.loader.load_sweep_config, {}

        def once(master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
            key = tuple(sweep_overrides)
            composed[key] = composed.get(key) or compose(master_config, list(sweep_overrides))
            return composed[key]

        self.loader.load_sweep_config = once

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        composed = [self._compose(overrides, initial_job_idx + i) for i, overrides in enumerate(job_overrides)]
        planned = [job.planned(config) for config in composed]
        cells = plan.distinct(planned)
        sweep, folder = cells[0].config["sweep"], cells[0].folder.parent
        left = plan.left(cells, sweep["retry"])
        if sweep["dry_run"]:
            from .dry_run import print_plan

            print_plan(cells, left)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            plan.claim(folder, cells)
            self._run(cells, left, composed)
        return [job.returned(config, cell) for config, cell in zip(composed, planned, strict=True)]

    def _compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        config = self.loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
            folder = os.path.join(config.hydra.sweep.dir, config.hydra.sweep.subdir)
            config.hydra.runtime.output_dir = os.path.abspath(folder)
        return config

    def _run(self, cells: Sequence[plan.Planned], left: Sequence[plan.Planned], composed: Sequence[DictConfig]) -> None:
        wanted = {cell.name for cell in left}
        for config in composed:
            if Path(config.hydra.runtime.output_dir).name in wanted:
                job.write_config(config)
        for cell in cells:  # left alone, yet part of how the sweep stands
            if cell.name not in wanted and cell.status != "done":
                how = f"{cell.status} before; sweep.retry={cell.status} runs it again"
                outcome.failed[cell.name] = (how, cell.overrides)
        devices = grouped(visible(), self.gpus)
        workers = count(self.workers, devices)
        with Display(len(cells), len(cells) - len(left)) as display:
            crew.run(plan.batches(left, workers), workers, devices, _Handle(display))


class _Handle:
    """An event of a worker: to the screen, to the outcome and, where the worker can no longer do it, to the folder."""

    def __init__(self, display: Display):
        self.display = display

    def __call__(self, worker: int, cell: plan.Planned | None, event: dict) -> None:
        kind = event["event"]
        outcome.changed = True
        if kind == "crash":
            RunFolder(cell.folder).crash(event["fate"], event["trace"])
            logger = instantiate(cell.config["logger"])
            logger.start(cell.config["sweep"]["name"], cell.name, cell.config, cell.choices)
            logger.finish({}, failed=True)
        if kind in ("failed", "crash"):
            outcome.failed[cell.name] = (event.get("reason") or event["fate"], cell.overrides)
        if kind == "disk":
            outcome.stopped = event["reason"]
        if kind == "done" and event["coverage"] < 1:
            outcome.incomplete.append(cell.name)
        self.display.event(worker, event)


def _register() -> None:
    """Make the class known as hydra_plugins.intpv.SweepLauncher: Hydra takes plugins from that package alone, and our
    wheel installs one top-level name."""
    SweepLauncher.__module__ = "hydra_plugins.intpv"
    Plugins.instance().register(SweepLauncher)  # first: it looks for the plugins that are really installed
    package = sys.modules.setdefault("hydra_plugins", ModuleType("hydra_plugins"))
    package.intpv = sys.modules["hydra_plugins.intpv"] = sys.modules[__name__]


_register()
