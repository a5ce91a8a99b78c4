"""Figures of a cell: attention KL per head, attention over time, memory; from its run folder, beside its metrics.

python -m analysis.figures runs/mini_ablation/strided-yarn-f32-int2-0123abcd
"""

import sys
from dataclasses import replace
from pathlib import Path

from intpv.logger.mirror import Figure

from .runs import Cell, read_cell, read_sweep, run_command

TABLES = "attention_kl.npz"


def draw_cell(folder: str | Path, into: Path | None = None) -> list[Figure]:
    """attention_kl, attention_mass and memory, each if the cell has measured it, as PNG and PDF `into` a folder, by
    default the cell's."""
    read = read_cell(folder)
    cell = replace(read, folder=into or read.folder)  # where figures go
    found: list[Figure | None] = []
    if (read.folder / TABLES).exists():
        from .attention_kl_figure import (
            draw_attention_kl,  # matplotlib takes a second, and most cells measure nothing to draw
        )
        from .attention_mass_figure import draw_attention_mass

        found += [draw_attention_kl(cell, _tables(read)), draw_attention_mass(cell, _tables(read))]
    if "memory/peak_bytes" in cell.metrics:
        from .memory_figure import draw_memory

        found.append(draw_memory(cell))
    return [figure for figure in found if figure]


def _tables(cell: Cell) -> dict:
    import numpy as np

    with np.load(cell.folder / TABLES, allow_pickle=False) as tables:
        return {name: tables[name] for name in tables}


def main() -> int:
    return run_command("figures", "runs/<sweep>[/<cell>]", _draw)


def _draw(path: str) -> list:
    folder = Path(path)
    folders = [folder] if (folder / ".hydra").exists() else [cell.folder for cell in read_sweep(folder)]
    drawn = [figure.path for one in folders for figure in draw_cell(one)]
    written = [file for path in drawn for file in (path, path.with_suffix(".pdf"))]
    return written or [f"nothing to draw in {folder}: run it with measure=full"]


if __name__ == "__main__":
    sys.exit(main())
