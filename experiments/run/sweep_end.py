"""What Hydra calls around a run or a sweep: at first its folder, at the end tables, figures, W&B's summary, errors."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intpv.record.composed import read_composed

from .cell_config import CellConfig
from .messages import reason
from .names import named
from .outcome import console, outcome
from .ranks import rank_of
from .sibling import analysis

log = logging.getLogger(__name__)
SAID = "multirun.yaml"  # Hydra writes there with what a sweep was started
HERE = (".SweepLauncher", ".BasicLauncher")  # launchers under which this process learns what becomes of a cell


class SweepEnd(Callback):
    """Hydra calls this around a single run and around a multirun."""

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        with suppress(OmegaConfBaseException):  # Hydra comes upon it next, and there it is said in one line
            how = "" if config.sweep.name else ": the same command goes on here, sweep.name=... gives it another name"
            console.print(f"{config.hydra.sweep.dir}{how}", markup=False, highlight=False, soft_wrap=True)
            said = Path(config.hydra.sweep.dir) / SAID
            self.before = said.read_bytes() if said.exists() else None

    def on_multirun_end(self, config: DictConfig, **kwargs) -> None:
        folder, cells = Path(config.hydra.sweep.dir), []
        if config.sweep.dry_run:  # a plan of another sweep must not become what this one was run with
            _put_back(folder / SAID, self.before)
        nothing_ran = outcome.elsewhere and not outcome.changed
        if not config.sweep.dry_run and not nothing_ran:
            with _despite("tables and figures"):
                cells = analysis("runs").read_sweep(folder)
                if not config.hydra.launcher.get("_target_", "").endswith(HERE):
                    _learn(cells)
                # else all was done before, figures included
                anew = outcome.changed or not (folder / "table.md").exists()
                if anew:
                    analysis("summary").summarise_sweep(folder, console, cells)
                else:
                    analysis("table").print_table(analysis("seeds").over_seeds(cells), console)
            if cells and anew:
                with _despite("the logger's summary"):
                    rows, logger = analysis("logger_rows"), OmegaConf.to_container(config.logger, resolve=True)
                    instantiate(logger).summary(config.sweep.name or folder.name, rows.rows(cells), rows.curves(cells))
        outcome.say()

    def on_run_end(self, config: DictConfig, **kwargs) -> None:
        if rank_of(config.trainer.devices):  # the first one tells
            return
        folder = Path(config.hydra.runtime.output_dir)
        wrong = outcome.failed or outcome.stopped or outcome.elsewhere
        if not wrong and not config.sweep.dry_run:
            with _despite("the table"):
                analysis("table").print_table([analysis("runs").read_cell(folder)], console)
                console.print(folder, highlight=False)
        outcome.say()


def _put_back(file: Path, before: bytes | None) -> None:
    """As it was; without a file before, without the folder too, if it holds nothing else."""
    if before is not None:
        file.write_bytes(before)
        return
    file.unlink(missing_ok=True)
    with suppress(OSError):
        file.parent.rmdir()


def _learn(cells: Sequence[Any]) -> None:
    """From the cells of read_sweep: others ran them, as processes of joblib, and keep what they know to themselves."""
    outcome.changed = True
    for cell in cells:
        if cell.status in ("failed", "oom") and (found := read_composed(cell.folder)):
            config = cast(CellConfig, {"sweep": dict(found.config["sweep"])})
            outcome.failed[cell.name] = (cell.reason, [*found.overrides, *named(config, cell.folder)])
        if cell.metrics.get("coverage", 1) < 1:
            outcome.incomplete.append(cell.name)


@contextmanager
def _despite(what: str) -> Iterator[None]:
    """What goes wrong here is a line of the last words; Hydra would make a warning of it and leave out the rest."""
    try:
        yield
    except Exception as error:
        log.info("%s", what, exc_info=True)
        outcome.unwritten.append(f"{what}: {reason(error)}")
