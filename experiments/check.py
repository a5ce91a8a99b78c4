"""Check a model or an adapter: python -m experiments.check model=mine model.path=FOLDER

Says in seconds what is wrong, a line per check. The configuration is changed as on evaluate's command line; frames,
rope_strategy and kv_quant do not matter: all options are tried. Exit code 1 if any check fails, 2 if nothing loads.
"""

import argparse
import sys
import time

from .command_line import CONF, explained, without_null
from .naming import register_resolvers, without_hydra


def main() -> None:
    parser = argparse.ArgumentParser(prog="check", description="Say what is wrong with a model or an adapter.")
    parser.add_argument("override", nargs="*", metavar="KEY=VALUE", help="model=mine, model.path=FOLDER, ...")
    arguments = parser.parse_args()
    with explained("check"):
        failed = check(arguments.override)
    sys.exit(int(failed > 0))


def check(overrides: list[str]) -> int:
    """Print every finding as it is made; the number of those that are FAIL."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    register_resolvers(__package__)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", without_null(overrides), return_hydra_config=True)
        config = OmegaConf.to_container(without_hydra(composed), resolve=True)
        options = {group: plain_options(group) for group in ("rope_strategy", "kv_quant")}

    from hydra.utils import instantiate

    from intpv.check.check import check as findings
    from intpv.check.finding import FAIL

    from . import build
    from .quiet import quiet
    from .threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    started, model = time.perf_counter(), build.model(config)
    print(f"{'ok':8}{'loads':30}{model.name}: {type(model.llm).__name__}, {type(model.encoder).__name__}")
    made = {group: {name: instantiate(one) for name, one in found.items()} for group, found in options.items()}
    count = failed = 0
    for finding in findings(
        model, instantiate(config["rearranger"]), made["rope_strategy"], made["kv_quant"], config["model"]
    ):
        print(finding, flush=True)
        count, failed = count + 1, failed + (finding.verdict == FAIL)
    print(f"{failed} of {count + 1} checks failed, in {time.perf_counter() - started:.1f} s")
    return failed


def plain_options(group: str) -> dict[str, dict]:
    """Every option of a group, as Hydra composes it: a policy may build on another."""
    from hydra import compose
    from omegaconf import OmegaConf

    names = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    return {name: OmegaConf.to_container(compose(f"{group}/{name}")[group], resolve=True) for name in names}


if __name__ == "__main__":
    main()
