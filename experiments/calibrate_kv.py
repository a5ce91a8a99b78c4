"""Calibrate static KV ranges: python -m experiments.calibrate_kv frames=32 rope_strategy=visual_only out=FILE

Watches clips of the calibration split, which no test has. The configuration is changed as on evaluate's command line;
kv_quant does not matter. Then: python -m experiments.evaluate kv_quant=paper_channel kv_quant.calibration=FILE ...
"""

import time
from argparse import Namespace
from pathlib import Path

from intpv.bounds import check_place, check_whole

from .run.command import command_line, file_to_write, read_command_line, run_config
from .run.messages import explained

WIDTH = 100  # characters


def main() -> None:
    parser = command_line("calibrate_kv", "Ranges of keys and values for static scales.")
    parser.add_argument("--videos", type=int, default=16, help="clips to watch (default: %(default)s)")
    parser.add_argument("--bins", type=int, default=64, help="of every channel's histogram (default: %(default)s)")
    parser.add_argument("--sinks", type=int, default=4, help="first tokens that do not count (default: %(default)s)")
    with explained("calibrate_kv"):
        calibrate(read_command_line(parser, "frames=32, rope_strategy=yarn, out=FILE, ..."))


def calibrate(arguments: Namespace) -> None:
    """Write the file and say what is in it."""
    changes = [one for one in arguments.override if not one.startswith("out=")]
    if arguments.cfg:
        run_config(changes, arguments.cfg)
    place = file_to_write(arguments.override)
    for name, least in (("videos", 1), ("bins", 2), ("sinks", 0)):
        check_whole(f"--{name}", getattr(arguments, name), least)
    config, _ = run_config([*changes, "kv_quant=none"], None)
    check_place("out", place)
    out = Path(place).expanduser()
    out.parent.mkdir(parents=True, exist_ok=True)  # before any clip is watched

    from hydra.utils import instantiate
    from rich.console import Console

    from intpv.inference.calibrating import calibrate as watch
    from intpv.inference.viewing import Viewer
    from intpv.record.atomic import write_bytes

    from .run import build
    from .run.quiet import quiet
    from .run.threads import set_threads

    quiet()
    set_threads(config["trainer"]["threads"])
    started, video_llm = time.perf_counter(), build.video_llm(config)
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
