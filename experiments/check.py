"""Check a model or an adapter: python -m experiments.check model=mine model.path=FOLDER

A line per check; the configuration is changed as on evaluate's command line, and all options of rope_strategy and
kv_quant are tried. Exit code 1 if any check fails, 2 if nothing could be loaded.
"""

import argparse
import sys
import time

from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from .command_line import CONF, explained, without_null
from .naming import register_resolvers, without_hydra


def main() -> None:
    parser = argparse.ArgumentParser(prog="check", description="Say what is wrong with a model or an adapter.")
    parser.add_argument("override", nargs="*", metavar="KEY=VALUE", help="model=mine, model.path=FOLDER, ...")
    with explained("check"):
        sys.exit(int(check(parser.parse_args().override) > 0))


def check(overrides: list[str]) -> int:
    """Print every finding as it is made; the number of those that are FAIL."""
    from hydra import compose, initialize_config_dir

    register_resolvers(__package__)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", without_null(overrides), return_hydra_config=True)
        config = OmegaConf.to_container(without_hydra(composed), resolve=True)
        # each as Hydra composes it: a policy may build on another
        options = [
            {file.stem: compose(f"{group}/{file.stem}")[group] for file in sorted((CONF / group).glob("*.yaml"))}
            for group in ("rope_strategy", "kv_quant")
        ]

    from hydra.utils import instantiate

    from intpv.check.check import check as findings
    from intpv.check.finding import FAIL, OK, Finding, unexpected
    from intpv.errors import BadInput

    from . import build
    from .quiet import quiet
    from .threads import set_threads

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
    ropes, policies = ({name: instantiate(one) for name, one in found.items()} for found in options)
    failed = 0
    for finding in findings(model, instantiate(config["rearranger"]), ropes, policies, config["model"]):
        print(finding, flush=True)
        failed += finding.verdict == FAIL
    print(f"{failed} checks failed, in {time.perf_counter() - started:.1f} s")
    return failed


if __name__ == "__main__":
    main()
