"""Evaluate one cell, or with -m a sweep of them: python -m experiments.evaluate -m experiment=mini_ablation"""

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from intpv.errors import BadInput
from intpv.record.lock import Occupied

from .run import outcome as ending
from .run.cell_config import plain_config
from .run.command import for_hydra
from .run.messages import INTERRUPTED, explained, reason
from .run.names import chosen, elsewhere, named, register_resolvers
from .run.outcome import outcome, stops_everything
from .run.progress import Progress
from .sweep import launcher  # noqa: F401  registers itself with Hydra
from .sweep.display import Display
from .sweep.plan import objective

log = logging.getLogger(__name__)
register_resolvers()


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def evaluate(config: DictConfig) -> float | None:
    """One cell in this process; its `objective`, for sweepers that search."""
    from .run.cell import run_cell  # heavy imports only now: --help and typos answer at once

    plain = plain_config(config)
    job = HydraConfig.get()
    folder, choices, found = Path(job.runtime.output_dir), chosen(job.runtime.choices), {}
    where = named(plain, folder)
    if job.mode == RunMode.RUN:  # in runs/single without a name
        where = elsewhere(plain["sweep"]["name"], folder)
    how = {"share": job.launcher.get("n_jobs", 1), "alone": job.mode == RunMode.RUN}
    again = [*job.overrides.task, *where]
    with Display(1, 0) as display:

        def emit(event: dict) -> None:
            found.update(event)
            outcome.changed = True
            display.event(0, event)

        try:
            run_cell(plain, choices, folder, Progress(emit), **how)
        except Exception as error:  # the cell's own log and status.json hold the traceback; other cells go on
            if not isinstance(error, BadInput):
                log.info("%s failed", folder.name, exc_info=True)
            if isinstance(error, Occupied):
                outcome.elsewhere[folder.name] = reason(error)
            elif stops_everything(error):
                outcome.stopped = reason(error)
            else:
                outcome.failed[folder.name] = (reason(error), again)
            return None
    if "coverage" not in found:  # another rank's to tell
        return None
    if found["coverage"] < 1:
        outcome.incomplete.append(folder.name)
    return objective(folder)


def main() -> None:
    outcome.clear()
    try:
        with explained("evaluate"):
            sys.argv[1:] = for_hydra(sys.argv[1:])
            evaluate()
    except KeyboardInterrupt:
        ending.interrupted()
        sys.exit(INTERRUPTED)
    finally:
        outcome.say()  # if it could not be said before: what went wrong is not to be lost in what goes wrong now
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
