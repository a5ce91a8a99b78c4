"""Search RoPE factors: python -m experiments.search_rope frames=32 out=FOLDER/rope_strategy/searched.yaml

Evaluates longrope under many factors on clips of the calibration split, which no test has, and writes the best ones as
an option of your own. Then: python -m experiments.evaluate --config-dir FOLDER rope_strategy=searched frames=32
"""

import shlex
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from intpv.bounds import check_place, check_whole
from intpv.errors import BadInput
from intpv.options import CONF

from .run.command import command_line, file_to_write, read_command_line, run_config
from .run.messages import explained


def main() -> None:
    parser = command_line("search_rope", "A factor for every channel of RoPE, best on the calibration split.")
    parser.add_argument(
        "--objective",
        choices=["accuracy", "answer_kl"],
        default="accuracy",
        help="restricted accuracy, or KL from the answers at the trained length (default: %(default)s)",
    )
    parser.add_argument("--videos", type=int, default=16, help="clips of each evaluation (default: %(default)s)")
    parser.add_argument("--budget", type=int, default=200, help="evaluations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the search (default: %(default)s)")
    with explained("search_rope"):
        search_and_write(read_command_line(parser, "frames=32, rope_strategy.visual=true, out=FILE, ..."))


def search_and_write(arguments: Namespace) -> None:
    """Write the option and say what it is worth."""
    changes = [one for one in arguments.override if not one.startswith("out=")]
    if not any(one.startswith("rope_strategy=") for one in changes):
        changes.append("rope_strategy=longrope")
    if arguments.cfg:
        run_config(changes, arguments.cfg)
    out = _option_file(file_to_write(arguments.override))
    for name, least in (("videos", 1), ("budget", 1), ("seed", 0)):
        check_whole(f"--{name}", getattr(arguments, name), least)
    config, choices = run_config([*changes, "kv_quant=none"], None)
    if choices["rope_strategy"] != "longrope":
        raise BadInput(f"the factors are longrope's: rope_strategy must be longrope, got {choices['rope_strategy']}")
    out.parent.mkdir(parents=True, exist_ok=True)  # before any clip is watched

    from hydra.utils import instantiate

    from intpv.inference.rope_search import search_rope
    from intpv.inference.viewing import Viewer
    from intpv.record.atomic import write_text

    from .run import build
    from .run.quiet import quiet
    from .run.threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    started, video_llm = time.perf_counter(), build.video_llm(config)
    viewer = Viewer(video_llm, instantiate(config["video"]), build.cache(config), config["frames"])
    benchmark = build.benchmark(config)
    given = arguments.objective, arguments.videos, arguments.budget, arguments.seed
    searched = search_rope(viewer, benchmark, *given)
    found, name = searched.found, {"accuracy": "1 - restricted accuracy", "answer_kl": "answer KL"}[given[0]]
    about = (
        f"{name} {found.value:.4f} over {given[1]} clips of {benchmark.name} ({searched.split}), "
        f"model {choices['model']}, {config['frames']} frames, s {searched.factor:g}, "
        f"{found.evaluations} evaluations, search seed {given[3]}"
    )
    write_text(out, _option(out, about, config["frames"], config["rope_strategy"], found.factors))
    print(f"{name} of known rules, under the temperature and the other fields of rope_strategy:")
    for rule, value in sorted(found.starts.items(), key=lambda pair: pair[1]):
        print(f"{rule:14}{value:.4f}")
    print(f"{about}: {out}, in {time.perf_counter() - started:.1f} s")


def _option_file(place: str) -> Path:
    """BadInput for a file that Hydra would not find as an option of rope_strategy."""
    check_place("out", place)
    out = Path(place).expanduser()
    if out.suffix != ".yaml" or out.absolute().parent.name != "rope_strategy":
        raise BadInput(f"out must be an option of rope_strategy: FOLDER/rope_strategy/NAME.yaml, got {place}")
    if (CONF / "rope_strategy" / out.name).exists():
        raise BadInput(f"out must have a name of its own: intpv has an option rope_strategy={out.stem}")
    return out


def _option(out: Path, about: str, frames: int, fields: Mapping[str, Any], factors: tuple[float, ...]) -> str:
    """The YAML: longrope with these factors, and the fields with which they were found."""
    own = {key: value for key, value in fields.items() if key not in ("_target_", "long_factor")}
    folder = shlex.quote(str(out.absolute().parents[1]))
    run = f"python -m experiments.evaluate --config-dir {folder} rope_strategy={out.stem} frames={frames}"
    content = yaml.safe_dump({**own, "long_factor": list(factors)}, default_flow_style=None, sort_keys=False)
    return f"# Searched factors: {about}.\n# {run}\ndefaults: [longrope, _self_]\n{content}"


if __name__ == "__main__":
    main()
