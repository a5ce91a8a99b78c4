"""Summary of a sweep: tables and figures beside its cells.

python -m analysis.summary runs/mini_ablation
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .differences import write_differences
from .frame_order import trios, write_order
from .kinds import append_kinds
from .pairs import append_pairs
from .pareto import append_fronts
from .provenance import scored_by
from .runs import Cell, read_sweep, run_command
from .seeds import over_seeds
from .table import print_table, write_csv, write_markdown
from .trainings import append_trainings


def summarise_sweep(
    folder: str | Path, console: Console | None = None, cells: Sequence[Cell] | None = None
) -> list[Path]:
    """Print the table; write table.md, table.csv, differences.csv and the figures accuracy, kv, distance and pareto
    into `folder`, for a sweep over seeds pooled.csv, over the order of frames order.md and the figure when. Returns
    what was written.

    `cells` where they are read already. A figure is a PNG and a PDF; one for which the sweep has no cells is left
    out. Raises BadInput for a folder without cells.
    """
    from .accuracy_figure import draw_accuracy  # matplotlib takes a second to import, a mistyped folder answers at once
    from .distance_figure import draw_distance
    from .kv_figure import draw_kv
    from .pareto_figure import draw_pareto

    folder = Path(folder)
    cells = read_sweep(folder) if cells is None else cells
    points = over_seeds(cells)
    console = console or Console()
    print_table(points, console)
    if scored := scored_by(folder):
        console.print(f"scored anew by {scored}", markup=False, highlight=False)
    write_markdown(points, folder / "table.md", folder.name)
    append_trainings(points, folder / "table.md")
    append_kinds(points, folder / "table.md")
    append_pairs(points, folder / "table.md")
    append_fronts(points, folder / "table.md")
    write_csv(cells, folder / "table.csv")
    written = [folder / "table.md", folder / "table.csv"]
    if any(cell.parts for cell in points):
        write_csv(points, folder / "pooled.csv")
        written.append(folder / "pooled.csv")
    if write_differences(points, folder / "differences.csv"):
        written.append(folder / "differences.csv")
    draw = {"accuracy": draw_accuracy, "kv": draw_kv, "distance": draw_distance, "pareto": draw_pareto}
    figures = [one(points, folder / f"{name}.png") for name, one in draw.items()]
    orders = write_order(folder, points) if any(trios(points)) else []
    drawn = [file for figure in figures if figure for file in (figure, figure.with_suffix(".pdf"))]
    return [*written, *drawn, *orders]


def main() -> int:
    return run_command("summary", "runs/<sweep>", summarise_sweep)


if __name__ == "__main__":
    sys.exit(main())
