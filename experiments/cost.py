"""Print what more frames cost: python -m experiments.cost --frames 8,32,64

The paper's Table 1 from closed forms, and what it leaves out; `layers=28 kv_heads=4` tries another shape. No model is
built but with --measured: then the same columns from random weights of that shape, on a GPU of 80 GB for the 7B's.
"""

import argparse
import json

from .command_line import CONF, explained

OPTIONS = {"FP16": "none", "INT8": "int8", "INT4": "int4", "INT2": "int2"}  # column -> option of conf/kv_quant
WIDTH = 100  # characters


def main() -> None:
    parser = argparse.ArgumentParser(prog="cost", description="What more frames cost, from closed forms.")
    parser.add_argument(
        "change", nargs="*", metavar="KEY=VALUE", help="a size that differs from the shape's: layers=28"
    )
    parser.add_argument("--shape", default="video_llava_7b", help="sizes to start from (default: %(default)s)")
    parser.add_argument("--frames", default="8,16,32,64,128", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, in bytes and seconds")
    parser.add_argument(
        "--measured", action="store_true", help="beside it, measured on the GPU, or the CPU without one"
    )
    arguments = parser.parse_intermixed_args()
    with explained("cost"):
        report = cost(arguments)
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


def cost(arguments: argparse.Namespace) -> dict:
    """All tables as plain data."""
    from intpv.measure import cost_shape, cost_table

    shape = cost_shape.read(arguments.shape, arguments.change)
    frames = [cost_shape.number("frames", text.strip()) for text in arguments.frames.split(",")]
    for count in frames:
        shape.groups(count)  # refused before torch is imported
    options = kv_options()
    report = cost_table.tables(shape, frames, options)
    if arguments.measured:
        from intpv.measure import cost_measured

        report |= cost_measured.tables(shape, frames, options)
    return report


def kv_options() -> dict:
    """The KV options of the tables, by column."""
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    with initialize_config_dir(str(CONF), version_base="1.3"):
        return {column: instantiate(compose(f"kv_quant/{name}").kv_quant) for column, name in OPTIONS.items()}


def show(report: dict) -> None:
    """The same for reading."""
    from rich.console import Console
    from rich.table import Column, Table

    from intpv.measure.cost_table import notes, sheets

    console = Console(width=WIDTH, highlight=False, markup=False)
    for title, rows in sheets(report).items():
        table = Table(*(Column(header, justify="right") for header in rows[0]), box=None, padding=(0, 1, 0, 0))
        for row in rows:
            table.add_row(*row.values())
        console.print(title, table, "", sep="\n")
    console.print(notes(report))


if __name__ == "__main__":
    main()
