"""Print what more frames cost: python -m experiments.cost frames=8,32,64

The paper's Table 1 from closed forms, and what it leaves out; `layers=28 kv_heads=4` tries another shape. No model is
built but with --measured: then the same columns from random weights of that shape, on a GPU of 80 GB for the 7B's.
`keep=0.25 kv_tokens=2056 prefill_tokens=2056 early=true tower_frames=16` is what a budget, eviction and passes leave.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from intpv.bounds import check_whole
from intpv.cost.shape import Shape
from intpv.cost.shape import read as read_shape

from .run.command import changed, command_line, read_command_line, show_config
from .run.messages import explained

OPTIONS = {"FP16": "none", "INT8": "int8", "INT4": "int4", "INT2": "int2"}  # column -> option of conf/kv_quant
DEFAULTS: dict[str, Any] = {"shape": "video_llava_7b", "frames": [8, 16, 32, 64, 128]}
DEFAULTS |= dict.fromkeys(field.name for field in fields(Shape))  # None: as the shape has it
BOUNDS = ("keep", "kv_tokens", "early", "tower_frames", "prefill_tokens")
DEFAULTS |= dict.fromkeys(BOUNDS)  # None: nothing is bounded
WIDTH = 100  # characters


def main() -> None:
    parser = command_line("cost", "What more frames cost, from closed forms.")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, in bytes and seconds")
    parser.add_argument(
        "--measured", action="store_true", help="beside it, measured on the GPU, or the CPU without one"
    )
    with explained("cost"):
        arguments = read_command_line(parser, "frames=8,32, shape=video_llava_7b, or another size: layers=28, ...")
        config = changed(DEFAULTS, arguments.override)
        show_config(arguments.cfg, config)
        report = cost(config, arguments.measured)
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


def cost(config: Mapping, measured: bool) -> dict:
    """All tables as plain data."""
    from intpv.cost import table as cost_table

    given = {key: value for key, value in config.items() if value is not None}
    sizes = {key: value for key, value in given.items() if key not in ("shape", "frames", *BOUNDS)}
    bounds = {key: given[key] for key in BOUNDS if key in given}
    shape, frames = read_shape(config["shape"], sizes), list(config["frames"])
    for count in frames:
        check_whole("frames", count)
        shape.groups(count)  # refused before torch is imported
    options = kv_options()
    report = cost_table.tables(shape, frames, options)
    if bounds:
        from intpv.cost.bounded import Bounds

        within = Bounds(**bounds)
        report["bounded"] = [within.row(shape, count, options) for count in frames]
    if measured:
        from intpv.cost.measured import tables

        report |= tables(shape, frames, options)
    return report


def kv_options() -> dict:
    """The KV options of the tables, by column."""
    from intpv.options import option

    return {column: option("kv_quant", name) for column, name in OPTIONS.items()}


def show(report: dict) -> None:
    """The same for reading."""
    from rich.console import Console
    from rich.table import Column, Table

    from intpv.cost.table import notes, sheets

    console = Console(width=WIDTH, highlight=False, markup=False)
    for title, rows in sheets(report).items():
        table = Table(*(Column(header, justify="right") for header in rows[0]), box=None, padding=(0, 1, 0, 0))
        for row in rows:
            table.add_row(*row.values())
        console.print(title, table, "", sep="\n")
    console.print(notes(report))


if __name__ == "__main__":
    main()
