"""What Hydra calls around a run or a sweep: at the end the tables, the figures, W&B's summary, and what went wrong."""

from pathlib import Path

from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from .outcome import console, outcome
from .sibling import analysis


class SweepEnd(Callback):
    """Hydra calls this around a single run and around a multirun."""

    def on_multirun_end(self, config: DictConfig, **kwargs) -> None:
        folder = Path(config.hydra.sweep.dir)
        if not config.sweep.dry_run:
            cells = analysis("runs").read_sweep(folder)
            if not outcome.changed and (folder / "table.md").exists():  # all was done before, figures included
                analysis("table").print_table(cells, console)
            else:
                analysis("summary").summarise_sweep(folder, console, cells)
                rows, logger = analysis("mirror_rows"), OmegaConf.to_container(config.logger, resolve=True)
                instantiate(logger).summary(config.sweep.name, rows.rows(cells), rows.curves(cells))
        outcome.say()

    def on_run_end(self, config: DictConfig, **kwargs) -> None:
        folder = Path(config.hydra.runtime.output_dir)
        if not outcome.failed and not outcome.stopped and not config.sweep.dry_run:
            done = [cell for cell in analysis("runs").read_sweep(folder.parent) if cell.name == folder.name]
            analysis("table").print_table(done, console)
            console.print(folder, highlight=False)
        outcome.say()
