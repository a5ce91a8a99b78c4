"""Check a model, or an option's laws: python -m experiments.check model=mine model.path=FOLDER

python -m experiments.check rope_strategy=mine --config-dir FOLDER

A line per check; the configuration is changed as on evaluate's command line. Naming a rope_strategy, rearranger,
kv_quant, budget, kv_evict, data or scorer checks what an option of that group must keep, on the embedded mini model or
the one that is named. Of a model all options of rope_strategy and kv_quant are tried. Exit code 1 if any check fails,
2 if nothing could be loaded.
"""

import sys
import time
from collections.abc import Collection

from hydra.errors import InstantiationException

from .run.cell_config import CellConfig
from .run.command import command_line, read_command_line, run_config
from .run.messages import explained
from .run.options import options_of


def main() -> None:
    about = "Say what is wrong with a model or an adapter, or with an option of yours."
    with explained("check"):
        example = "rope_strategy=mine, model=mine, model.path=FOLDER, ..."
        arguments = read_command_line(command_line("check", about), example)
        config, _ = run_config(arguments.override, arguments.cfg, tables=False)  # a law says more
        named = [one.partition("=")[0] for one in arguments.override]
        sys.exit(int(check(config, named) > 0))


def check(config: CellConfig, named: Collection[str] = ()) -> int:
    """Print every finding as it is made; the number of those that are FAIL. `named` are keys of the command line: the
    groups whose options' laws are asked for; without one of those, or with a model among them, the model is checked.
    """
    from hydra.utils import instantiate

    from intpv.check.check import check as model_findings
    from intpv.check.finding import FAIL, OK, Finding, findings, unexpected
    from intpv.errors import BadInput
    from intpv.laws import GROUPS, laws_of
    from intpv.options import option

    from .run import build
    from .run.quiet import quiet
    from .run.threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    started, failed = time.perf_counter(), 0

    def say(finding: Finding) -> None:
        nonlocal failed
        print(finding, flush=True)
        failed += finding.verdict == FAIL

    groups = [group for group in GROUPS if group in named]
    for group in groups:
        made = instantiate(config[group])  # type: ignore[literal-required]
        if len(groups) > 1:
            print(f"{group}: {type(made).__name__}")
        for finding in findings(laws_of(group, made, lambda: build.model(config))):
            say(finding)
    if not groups or {"model", "encoder"} & set(named):
        try:
            model = build.model(config)
        except InstantiationException as error:
            if isinstance(error.__cause__, BadInput):
                raise
            print(Finding(FAIL, "loads", unexpected(error.__cause__ or error)))
            return failed + 1
        say(Finding(OK, "loads", f"{model.name}: {type(model.llm).__name__}, {type(model.encoder).__name__}"))
        ropes, policies = (
            {name: option(group, name) for name in options_of(group)} for group in ("rope_strategy", "kv_quant")
        )
        for finding in model_findings(model, instantiate(config["rearranger"]), ropes, policies, config["model"]):
            say(finding)
    print(f"{failed} checks failed, in {time.perf_counter() - started:.1f} s")
    return failed


if __name__ == "__main__":
    main()
