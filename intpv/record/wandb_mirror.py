"""W&B mirror: a finished cell becomes a run of W&B; it never replaces the folder and never stops a cell."""

import json
import logging
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)


@dataclass
class WandbMirror:
    """`start` and `finish` once per cell: group is the sweep, name the cell, id its hash."""

    project: str = "intpv"
    entity: str | None = None
    offline: bool = True
    dir: str = "."  # W&B makes a folder `wandb` in it; send it later with `wandb sync`
    _run: Any = field(default=None, init=False, repr=False)

    def start(self, sweep: str, cell: str, cell_hash: str, config: dict) -> None:
        """Open the run. `config` must be plain: it is handed to init, as later updates of offline runs got lost."""
        plain = json.loads(json.dumps(config))  # raises here for anything that is not
        with _never_fatal():
            import wandb

            self._run = wandb.init(
                project=self.project,
                entity=self.entity,
                mode="offline" if self.offline else "online",
                dir=self.dir,
                group=sweep,
                name=cell,
                id=cell_hash,
                config=plain,
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    save_code=False,
                    disable_code=True,
                    disable_git=True,
                    disable_job_creation=True,
                    x_disable_stats=True,
                    x_disable_meta=True,
                    x_disable_machine_info=True,
                    x_save_requirements=False,
                ),
            )

    def finish(self, metrics: Mapping[str, float | int | None], failed: bool) -> None:
        """Log the metrics and close the run; without an exit code a failed cell would read "finished"."""
        if self._run is None:
            return
        with _never_fatal():
            self._run.log({name: value for name, value in metrics.items() if value is not None})
            self._run.finish(exit_code=int(failed))
        self._run = None


@contextmanager
def _never_fatal():
    try:
        yield
    except Exception as error:  # the cell's results are safe in its folder
        log.warning("W&B mirror: %s: %s", type(error).__name__, error)
