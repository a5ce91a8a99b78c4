"""Evaluate one cell, or with -m a sweep of them: python -m experiments.evaluate -m experiment=mini_ablation"""

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from intpv.errors import BadInput

from . import sweep_end
from .command_line import INTERRUPTED, explained, reason, without_null
from .naming import register_resolvers

log = logging.getLogger(__name__)
register_resolvers(__package__)


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def evaluate(config: DictConfig) -> None:
    from .cell import run_cell  # heavy imports only now: --help and typos answer at once

    plain = OmegaConf.to_container(config, resolve=True)
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        run_cell(plain, HydraConfig.get().runtime.choices, folder, sweep_end.progress)
    except Exception as error:  # the cell's own log and status.json hold the traceback; other cells go on
        if not isinstance(error, BadInput):
            log.info("%s failed", folder.name, exc_info=True)
        sweep_end.failed.append((folder.name, reason(error)))


def main() -> None:
    sweep_end.failed.clear()
    sweep_end.incomplete.clear()
    sys.argv[1:] = without_null(sys.argv[1:])
    try:
        with explained("evaluate"):
            evaluate()
    except KeyboardInterrupt:
        sweep_end.say_interrupted()
        sys.exit(INTERRUPTED)
    sys.exit(sweep_end.exit_code())


if __name__ == "__main__":
    main()
