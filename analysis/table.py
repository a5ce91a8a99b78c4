"""Tables of a sweep: on the terminal one block per strategy, as Markdown, and as CSV with every metric."""

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .columns import COSTS, IDENTITY, Column, regimes, remark, scores
from .runs import GROUPS, Cell

LEGEND = (
    "skill, accuracy (acc), accuracy with the options given (restr) and answers outside the options (inval) in %; "
    "[95 % interval, bootstrap over videos]; times per video"
)
FULL_WIDTH = 112  # characters that scores and costs side by side take


def print_table(cells: Sequence[Cell], console: Console) -> None:
    """A block per strategy and rearranger; on a narrow terminal the costs follow the scores in blocks of their own."""
    measured = tuple(column for regime in regimes(cells) for column in scores(regime))
    halves = [measured + COSTS] if console.width >= FULL_WIDTH else [measured, COSTS]
    for columns in halves:
        for title, block in blocks(cells):
            console.print(_block(title, block, IDENTITY + columns), "")
    console.print(Text(LEGEND, style="dim"))
    for cell in cells:
        if remark(cell):
            console.print(Text(f"{cell.name}: {remark(cell)}", style="yellow" if cell.status == "done" else "red"))


def blocks(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """Cells that differ in frames and KV alone, titled by what they share."""
    return [(title, list(block)) for title, block in groupby(cells, lambda cell: f"{cell.strategy}, {cell.rearranger}")]


def _block(title: str, cells: Sequence[Cell], columns: Sequence[Column]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        indent = "  " if column.justify == "left" else ""
        header = Text(f"{indent}{column.group}\n{indent}{column.header}")
        table.add_column(header, justify=column.justify, min_width=column.width, overflow="fold")
    for cell in cells:
        style = None if cell.status == "done" else "red"
        table.add_row(*(Text(column.text(cell)) for column in columns), style=style)
    return table


def write_markdown(cells: Sequence[Cell], path: Path, heading: str) -> None:
    """One table of all cells."""
    shared = (
        Column("", "RoPE", lambda cell: cell.strategy, 0),
        Column("", "order", lambda cell: cell.rearranger, 0),
        *IDENTITY,
    )
    measured = [
        Column("", f"{regime} {column.header}".strip(), column.text, 0)
        for regime in regimes(cells)
        for column in scores(regime)
    ]
    costs = [Column("", f"{column.group} {column.header}".strip(), column.text, 0) for column in COSTS]
    columns = [*shared, *measured, *costs, Column("", "remark", remark, 0)]
    rows = [[column.text(cell) for column in columns] for cell in cells]
    header = [column.header for column in columns]
    path.write_text(f"# {heading}\n\n{LEGEND}.\n\n{markdown_table(header, rows)}", encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.strip().replace('|', '/') for cell in line)} |\n" for line in lines)


def write_csv(cells: Sequence[Cell], path: Path) -> None:
    """One line per cell, one column per metric, numbers as exact as in the folder."""
    metrics = sorted({name for cell in cells for name in cell.metrics})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["cell", *GROUPS, "variant", "frames", "status", "reason", *(m for m in metrics if m != "frames")]
        )
        for cell in cells:
            choices = [getattr(cell, group) for group in GROUPS]
            values = [cell.metrics.get(name, "") for name in metrics if name != "frames"]
            writer.writerow([cell.name, *choices, cell.variant, cell.frames, cell.status, cell.reason, *values])
