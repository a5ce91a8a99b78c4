"""What Hydra calls around a run or a sweep: at first its folder, at the end tables, figures, W&B's summary, errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .messages import reason
from .outcome import console, outcome
from .ranks import rank_of
from .sibling import analysis

log = logging.getLogger(__name__)


class SweepEnd(Callback):
    """Hydra calls this around a single run and around a multirun."""

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        with suppress(OmegaConfBaseException):  # Hydra comes upon it next, and there it is said in one line
            how = "" if config.sweep.name else ": the same command goes on here, sweep.name=... gives it another name"
            console.print(f"{config.hydra.sweep.dir}{how}", markup=False, highlight=False, soft_wrap=True)

    def on_multirun_end(self, config: DictConfig, **kwargs) -> None:
        folder, cells = Path(config.hydra.sweep.dir), []
        nothing_ran = outcome.elsewhere and not outcome.changed
        if not config.sweep.dry_run and not nothing_ran:
            anew = outcome.changed or not (folder / "table.md").exists()  # else all was done before, figures included
            with _despite("tables and figures"):
                cells = analysis("runs").read_sweep(folder)
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


@contextmanager
def _despite(what: str) -> Iterator[None]:
    """What goes wrong here is a line of the last words; Hydra would make a warning of it and leave out the rest."""
    try:
        yield
    except Exception as error:
        log.info("%s", what, exc_info=True)
        outcome.unwritten.append(f"{what}: {reason(error)}")
