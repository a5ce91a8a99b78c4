"""Check a model or an adapter: python -m experiments.check model=mine model.path=FOLDER

A line per check; the configuration is changed as on evaluate's command line, and all options of rope_strategy and
kv_quant are tried. Exit code 1 if any check fails, 2 if nothing could be loaded.
"""

import sys
import time

from hydra.errors import InstantiationException

from .run.cell_config import CellConfig
from .run.command import command_line, read_command_line, run_config
from .run.messages import explained
from .run.options import options_of


def main() -> None:
    about = "Say what is wrong with a model or an adapter."
    with explained("check"):
        arguments = read_command_line(command_line("check", about), "model=mine, model.path=FOLDER, ...")
        config, _ = run_config(arguments.override, arguments.cfg)
        sys.exit(int(check(config) > 0))


def check(config: CellConfig) -> int:
    """Print every finding as it is made; the number of those that are FAIL."""
    from hydra.utils import instantiate

    from intpv.check.check import check as findings
    from intpv.check.finding import FAIL, OK, Finding, unexpected
    from intpv.errors import BadInput
    from intpv.options import option

    from .run import build
    from .run.quiet import quiet
    from .run.threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    started = time.perf_counter()
    try:
        model = build.model(config)
    except InstantiationException as error:
        if isinstance(error.__cause__, BadInput):
            raise
        print(Finding(FAIL, "loads", unexpected(error.__cause__ or error)))
        return 1
    print(Finding(OK, "loads", f"{model.name}: {type(model.llm).__name__}, {type(model.encoder).__name__}"))
    ropes, policies = (
        {name: option(group, name) for name in options_of(group)} for group in ("rope_strategy", "kv_quant")
    )
    failed = 0
    for finding in findings(model, instantiate(config["rearranger"]), ropes, policies, config["model"]):
        print(finding, flush=True)
        failed += finding.verdict == FAIL
    print(f"{failed} checks failed, in {time.perf_counter() - started:.1f} s")
    return failed


if __name__ == "__main__":
    main()
