"""Calibrate static KV ranges: python -m experiments.calibrate_kv frames=32 rope_strategy=visual_only out=FILE

Watches clips of the calibration split, which no test has. The configuration is changed as on evaluate's command line;
kv_quant does not matter. Then: python -m experiments.evaluate kv_quant=paper_channel kv_quant.calibration=FILE ...
"""

import argparse
import time
from pathlib import Path

from .command_line import CONF, explained
from .naming import check, register_resolvers, without_hydra

WIDTH = 100  # characters


def main() -> None:
    parser = argparse.ArgumentParser(prog="calibrate_kv", description="Ranges of keys and values for static scales.")
    parser.add_argument("override", nargs="*", metavar="KEY=VALUE", help="frames=32, rope_strategy=yarn, out=FILE, ...")
    parser.add_argument("--videos", type=int, default=16, help="clips to watch (default: %(default)s)")
    parser.add_argument("--bins", type=int, default=64, help="of every channel's histogram (default: %(default)s)")
    parser.add_argument("--sinks", type=int, default=4, help="first tokens that do not count (default: %(default)s)")
    arguments = parser.parse_intermixed_args()
    with explained("calibrate_kv"):
        calibrate(arguments)


def calibrate(arguments: argparse.Namespace) -> None:
    """Write the file and say what is in it."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from intpv.errors import BadInput

    places = [one.removeprefix("out=") for one in arguments.override if one.startswith("out=")]
    if len(places) != 1 or not places[0]:
        raise BadInput(f"out must name the file to write, once: out=FILE, got {', '.join(places) or 'none'}")
    register_resolvers(__package__)
    overrides = [one for one in arguments.override if not one.startswith("out=")]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", [*overrides, "kv_quant=none"], return_hydra_config=True)
        config = OmegaConf.to_container(without_hydra(composed), resolve=True)
    check(config)
    out = Path(places[0]).expanduser()
    out.parent.mkdir(parents=True, exist_ok=True)  # before any clip is watched

    from hydra.utils import instantiate
    from rich.console import Console

    from intpv.calibrating import calibrate as watch
    from intpv.record.atomic import write_bytes
    from intpv.viewing import Viewer

    from . import build
    from .quiet import quiet
    from .threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    started, video_llm = time.perf_counter(), build.video_llm(config)
    build.place(video_llm.model, config["trainer"]["accelerator"])
    viewer = Viewer(video_llm, instantiate(config["video"]), build.cache(config), config["frames"])
    counts = arguments.videos, arguments.bins, arguments.sinks
    calibration = watch(viewer, build.benchmark(config), *counts)
    content = calibration.encode()
    write_bytes(out, content)
    took = time.perf_counter() - started
    console = Console(width=WIDTH, highlight=False, markup=False, soft_wrap=True)
    console.print(ranges(calibration))
    about, origin = calibration.about, calibration.origin
    console.print(
        f"{about['clips']} clips of {about['dataset']} ({about['split']}), model {origin.model}, "
        f"{origin.frames} frames, {origin.rearranger}, RoPE {origin.strategy} at factor {origin.factor:g}: "
        f"{out}, {len(content):,} bytes, in {took:.1f} s"
    )


def ranges(calibration):
    """A row per layer: the ends of every kind's range, and the width of its middle channel."""
    from rich.table import Column, Table

    columns = [Column(kind.replace("_", " "), justify="right") for kind in calibration.statistics]
    table = Table(
        "layer", *columns, box=None, title="least .. largest (median width of a channel)", title_justify="left"
    )
    for layer in range(calibration.shape[0]):
        ends = [(one.low[layer], one.high[layer]) for one in calibration.statistics.values()]
        texts = (f"{low.min():.2f} .. {high.max():.2f} ({(high - low).median():.2f})" for low, high in ends)
        table.add_row(str(layer), *texts)
    return table


if __name__ == "__main__":
    main()
