"""Summary of a sweep: tables and figures beside its cells.

python -m analysis.summary runs/mini_ablation
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from intpv.errors import BadInput

from .order import trios, write_order
from .pairs import append_pairs
from .runs import Cell, read_sweep
from .table import print_table, write_csv, write_markdown


def summarise_sweep(
    folder: str | Path, console: Console | None = None, cells: Sequence[Cell] | None = None
) -> list[Path]:
    """Print the table; write table.md, table.csv, accuracy.png and kv.png into `folder`, and for a sweep over the order
    of frames order.md and when.png. Returns what was written.

    `cells` where they are read already. A figure for which the sweep has no cells is left out. Raises BadInput for a
    folder without cells.
    """
    from .curves import draw_accuracy  # matplotlib takes a second to import, a mistyped folder answers at once
    from .kv import draw_kv

    folder = Path(folder)
    cells = read_sweep(folder) if cells is None else cells
    print_table(cells, console or Console())
    write_markdown(cells, folder / "table.md", folder.name)
    append_pairs(cells, folder / "table.md")
    write_csv(cells, folder / "table.csv")
    figures = (draw_accuracy(cells, folder / "accuracy.png"), draw_kv(cells, folder / "kv.png"))
    orders = write_order(folder, cells) if any(trios(cells)) else []
    return [folder / "table.md", folder / "table.csv", *(figure for figure in figures if figure), *orders]


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m analysis.summary runs/<sweep>", file=sys.stderr)
        return 2
    try:
        written = summarise_sweep(sys.argv[1])
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
