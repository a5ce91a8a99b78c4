"""Figures of a cell: attention KL per head, attention over time, memory; from its run folder, beside its metrics.

python -m analysis.figures runs/mini_ablation/strided-yarn-f32-int2-0123abcd
"""

import sys
from pathlib import Path

from intpv.errors import BadInput
from intpv.record.figure import Figure

from .runs import Cell, read_cell, read_sweep

TABLES = "attention_kl.npz"


def draw_cell(folder: str | Path) -> list[Figure]:
    """attention_kl.png, attention_mass.png and memory.png in `folder`, each if the cell has measured it."""
    cell = read_cell(folder)
    found: list[Figure | None] = []
    if (cell.folder / TABLES).exists():
        from .heatmap import draw_attention_kl  # matplotlib takes a second, and most cells measure nothing to draw
        from .mass import draw_attention_mass

        found += [draw_attention_kl(cell, _tables(cell)), draw_attention_mass(cell, _tables(cell))]
    if "memory/peak_bytes" in cell.metrics:
        from .memory import draw_memory

        found.append(draw_memory(cell))
    return [figure for figure in found if figure]


def _tables(cell: Cell) -> dict:
    import numpy as np

    with np.load(cell.folder / TABLES, allow_pickle=False) as tables:
        return {name: tables[name] for name in tables}


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m analysis.figures runs/<sweep>[/<cell>]", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    try:
        folders = [folder] if (folder / ".hydra").exists() else [cell.folder for cell in read_sweep(folder)]
        written = [figure.path for one in folders for figure in draw_cell(one)]
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(*(written or [f"nothing to draw in {folder}: run it with measure=full"]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
