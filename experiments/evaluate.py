"""Evaluate one cell, or with -m a sweep of them: python -m experiments.evaluate -m experiment=mini_ablation"""

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from intpv.errors import BadInput

from . import outcome as ending
from .command_line import INTERRUPTED, explained, reason, without_null
from .naming import chosen, register_resolvers
from .outcome import outcome, stops_everything
from .progress import Progress
from .sweep import launcher  # noqa: F401  registers itself with Hydra
from .sweep.display import Display

log = logging.getLogger(__name__)
register_resolvers(__package__)


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def evaluate(config: DictConfig) -> float | None:
    """One cell in this process; its accuracy, for sweepers that search."""
    from .cell import run_cell  # heavy imports only now: --help and typos answer at once

    plain = OmegaConf.to_container(config, resolve=True)
    job = HydraConfig.get()
    folder, choices, found = Path(job.runtime.output_dir), chosen(job.runtime.choices), {}
    with Display(1, 0) as display:

        def emit(event: dict) -> None:
            found.update(event)
            outcome.changed = True
            display.event(0, event)

        try:
            if plain["sweep"]["dry_run"]:
                raise BadInput("sweep.dry_run=true prints the plan of a sweep: add -m")
            run_cell(plain, choices, folder, Progress(emit), share=job.launcher.get("n_jobs", 1))
        except Exception as error:  # the cell's own log and status.json hold the traceback; other cells go on
            if not isinstance(error, BadInput):
                log.info("%s failed", folder.name, exc_info=True)
            if stops_everything(error):
                outcome.stopped = reason(error)
            else:
                outcome.failed[folder.name] = (reason(error), list(job.overrides.task))
            return None
    if found["coverage"] < 1:
        outcome.incomplete.append(folder.name)
    return found["accuracy"]


def main() -> None:
    outcome.clear()
    sys.argv[1:] = without_null(sys.argv[1:])
    try:
        with explained("evaluate"):
            evaluate()
    except KeyboardInterrupt:
        ending.interrupted()
        sys.exit(INTERRUPTED)
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
