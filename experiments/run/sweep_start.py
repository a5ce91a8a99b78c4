"""What Hydra calls before a run or a sweep: all cells are composed and checked before a folder is made."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig

from intpv.errors import BadInput

from ..sweep.composer import Composer, composer_of
from ..sweep.devices import count, grouped, visible
from ..sweep.plan import Planned, searches
from .cell_config import with_choices
from .messages import refuse
from .ranks import SINGLE
from .validation import check, check_made, check_plain, check_run_scorer

LAUNCHER = ".SweepLauncher"


class SweepStart(Callback):
    """Hydra makes a warning of an exception here; the exit that `refuse` is goes through."""

    def on_run_start(self, config: DictConfig, **kwargs) -> None:
        try:
            if config.get("sweep", {}).get("dry_run") is True:
                raise BadInput("sweep.dry_run=true prints the plan of a sweep: add -m")
            check(*with_choices(config), 1)
            check_run_scorer(*with_choices(config))
        except Exception as error:
            refuse("evaluate", error)

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        try:
            share = _share(config.hydra.launcher)
            composer = _installed(config)
            cells: list[tuple[Planned, dict]] = []
            for one in _cells(config):
                _, plain, choices = composer.composed(config, one)
                check_plain(plain, choices, share)
                if (devices := plain["trainer"]["devices"]) > 1:
                    raise BadInput(f"trainer.devices={devices} {SINGLE}")
                check_run_scorer(plain, choices)
                if not cells:
                    _ = config.hydra.sweep.dir  # a nameless sweep is named here, once its parts are known to be valid
                cells.append((composer.planned(config, one), choices))
            for found, choices in cells:
                if found.status != "done":  # that nothing is left to do should not take as long as importing torch
                    # a user's methods may crash or never return: they do so in a cell, which others outlive
                    check_made(found.config, choices, tables=False)
        except Exception as error:
            refuse("evaluate", error)


def _share(launcher: DictConfig) -> int | None:
    """How many processes share this machine; None where another launcher may take cells to others."""
    if launcher.get("engine"):
        instantiate(launcher.engine)  # refuses what is not there before a cell is composed
        return None
    if not launcher.get("_target_", "").endswith(LAUNCHER):
        return 1 if launcher.get("_target_", "").endswith(".BasicLauncher") else None
    return count(launcher.get("workers"), grouped(visible(), launcher.get("gpus_per_worker")))


def _cells(config: DictConfig) -> list[list[str]]:
    """The overrides of each cell of a sweep over given values; of a search nobody knows them before, and each is
    checked as it comes."""
    sweeper = config.hydra.sweeper
    if searches(sweeper):
        return []
    given = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*given, *config.hydra.overrides.task])
    (batch,) = BasicSweeper.split_arguments(overrides, None)
    return batch


def _installed(config: DictConfig) -> Composer:
    """Hydra's sweepers compose each cell once more to see that it can be: here they need not. Other launchers than ours
    send the loader to other processes, and it stays Hydra's own."""
    loader: Any = GlobalHydra.instance().config_loader()
    composer = composer_of(loader)

    def load_sweep_config(master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        if composer.knows(master_config, sweep_overrides):
            return master_config  # nobody looks at it
        return composer.config(master_config, sweep_overrides)

    if config.hydra.launcher.get("_target_", "").endswith(LAUNCHER):
        loader.load_sweep_config = load_sweep_config
    return composer
