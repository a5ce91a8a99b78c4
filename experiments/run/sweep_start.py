"""What Hydra calls before a run or a sweep: all cells are composed and checked before a folder is made."""

from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from intpv.errors import BadInput
from intpv.record.run_folder import RunFolder

from ..sweep.devices import count, grouped, visible
from .cell_config import with_choices
from .messages import refuse
from .ranks import SINGLE
from .validation import check, check_made, check_plain, check_run_scorer


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
            for cell in (cells := _cells(config)):
                check_plain(*with_choices(cell), share)
                if (devices := cell.trainer.devices) > 1:
                    raise BadInput(f"trainer.devices={devices} {SINGLE}")
                check_run_scorer(*with_choices(cell))
            _ = config.hydra.sweep.dir  # a nameless sweep is named here, once its parts are known to be valid
            for cell in cells:
                OmegaConf.copy_cache(config, cell)  # composed before there was a name: it would find one of its own
                if not _is_done(cell):  # to see that nothing is left to do should not take as long as importing torch
                    # a user's methods may crash or never return: they do so in a cell, which others outlive
                    check_made(*with_choices(cell), tables=False)
        except Exception as error:
            refuse("evaluate", error)


def _is_done(cell: DictConfig) -> bool:
    return RunFolder(Path(cell.hydra.sweep.dir, cell.hydra.sweep.subdir)).status() == "done"


def _share(launcher: DictConfig) -> int | None:
    """How many processes share this machine; None where another launcher may take cells to others."""
    if launcher.get("engine"):
        instantiate(launcher.engine)  # refuses what is not there before a cell is composed
        return None
    if not launcher.get("_target_", "").endswith(".SweepLauncher"):
        return 1 if launcher.get("_target_", "").endswith(".BasicLauncher") else None
    return count(launcher.get("workers"), grouped(visible(), launcher.get("gpus_per_worker")))


def _cells(config: DictConfig) -> list[DictConfig]:
    """The cells of a sweep over given values; of a search nobody knows them before, and each is checked as it comes."""
    compose = _once(GlobalHydra.instance().config_loader())
    sweeper = config.hydra.sweeper
    if sweeper.get("_target_", "").rpartition(".")[2] != BasicSweeper.__name__:
        return []
    given = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*given, *config.hydra.overrides.task])
    (batch,) = BasicSweeper.split_arguments(overrides, None)
    return [compose(config, one) for one in batch]


def _once(loader):
    """Cells are composed to be checked here, by the sweeper to be checked and by the launcher to be run, 0.1 s each."""
    compose = loader.load_sweep_config
    composed: dict[tuple[str, ...], DictConfig] = {}

    def once(master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        key = tuple(sweep_overrides)
        composed[key] = composed.get(key) or compose(master_config, list(sweep_overrides))
        return composed[key]

    loader.load_sweep_config = once
    return once
