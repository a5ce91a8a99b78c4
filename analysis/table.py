"""Tables of a sweep: on the terminal one block per strategy, as Markdown, and as CSV with every metric.

python -m analysis.table runs/mine prints them, with --latex the paper's Tables 1 and 4 with the sweeps' own figures.
"""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from intpv.escape import markdown_table, printable, spreadsheet_cell
from intpv.metrics.placeholders import FLIPS
from intpv.metrics.signatures.in_words import shown

from .consistency import refuse_mixed
from .latex import latex_tables
from .provenance import provenance_lines
from .runs import GROUPS, SEEDS, Cell, read_sweep, say
from .score_columns import Column, known_of, prefix, regimes, score_blocks
from .seeds import over_seeds
from .units import MISSING, bytes_text, interval_text, nats_text, percent, seconds_text

# Columns: what the tables show of a cell beside its scores (score_columns.py).


IDENTITY = (
    Column("", "F", lambda cell: str(cell.frames), 3),
    Column("", "kv", lambda cell: cell.kv_quant, 4),
)
COSTS = (
    Column("KV", "size", lambda cell: bytes_text(cell.metrics.get("kv/bytes")), 7),
    Column("bits per", "element", lambda cell: _plain(cell.metrics.get("kv/bits_per_element")), 8),
    Column("", "watch", lambda cell: seconds_text(cell.metrics.get("time/watch_s")), 7),
    Column("", "ask", lambda cell: seconds_text(cell.metrics.get("time/ask_s")), 7),
)


def _kl(name: str) -> Callable[[Cell], str]:
    """A mean KL; a cell whose prefix is not quantised has itself as the reference."""

    def text(cell: Cell) -> str:
        value, low, high = (
            cell.metrics.get(f"attention_kl/{name}/mean{end}") for end in ("", "_ci95_low", "_ci95_high")
        )
        return ITSELF if cell.kv_quant == "none" and value is not None else nats_text(value, low, high)

    return text


def _flips(cell: Cell) -> str:
    share = flipped(cell)
    return ITSELF if cell.kv_quant == "none" and share is not None else percent(share)


ITSELF = "itself"
DISTANCES = (  # from the same rotation in full precision, where that was measured
    Column("attention KL", "local", _kl("local/all"), 19, "left"),
    Column("attention KL", "end to end", _kl("end_to_end/all"), 19, "left"),
    Column("answer", "KL", _kl("answer_kl"), 19, "left"),
)
BESIDE = (  # what is measured with them
    Column("answers", "flipped", _flips, 7),
    Column("videos", "compared", lambda cell: _plain(cell.metrics.get("attention_kl/videos")), 8),
    Column("memory", "peak", lambda cell: bytes_text(cell.metrics.get("memory/peak_bytes")), 7),
)


JUDGE = (  # of answers that a language model has judged; its name stands below the table
    Column("judge's", "score", lambda cell: _plain(cell.metrics.get("judge/score")), 7),
    Column("neither", "yes nor no", lambda cell: percent(cell.metrics.get("judge/unparsed")), 10),
    Column("accuracy", "corrected", lambda cell: _corrected(cell), 16, "left"),
)


def _corrected(cell: Cell) -> str:
    """By human labels, as far as there are any."""
    name = "judge/corrected_accuracy"
    value, low, high = (cell.metrics.get(name + end) for end in ("", "_ci95_low", "_ci95_high"))
    return MISSING if value is None else percent(value).rjust(5) + interval_text(low, high, value=value)


def flipped(cell: Cell) -> float | None:
    """The share of answers that quantisation changed, to whatever."""
    shares = [cell.metrics.get(f"flips/{name}") for name in FLIPS]
    known = [share for share in shares if share is not None]
    return sum(known) if known else None


def remark(cell: Cell) -> str:
    """What a reader must know about the cell's numbers; nothing where all went well."""
    if cell.status != "done":
        return f"{cell.status}: {cell.reason}" if cell.reason else cell.status
    notes = shown(cell.metrics)  # of the paper's failure signatures
    answered, of_these = cell.metrics.get("coverage", 1), cell.metrics.get("accuracy_answered")
    if answered < 1:
        right = "" if of_these is None else f" (accuracy of these {percent(of_these)} %)"
        some = f"only {percent(answered)} % of the questions could be answered"
        notes.insert(0, f"{some}{right}, the rest count as wrong")
    return "; ".join([*_over_seeds(cell), *notes])


def _over_seeds(cell: Cell) -> list[str]:
    """What its parts differ in, and how far they are spread."""
    seeds = [dict(part.seeds) for part in cell.parts]
    values = {key: dict.fromkeys(str(one.get(key)) for one in seeds) for key, _ in cell.seeds}
    shown = [f"{key}={','.join(own)}" for key, own in values.items() if len(own) > 1]
    spread = [
        f"{f'{regime} {name}'.strip()} ±{percent(sd)}"
        for regime in regimes([cell])
        for name in ("skill", "accuracy")
        if (sd := cell.metrics.get(f"{prefix(regime)}{name}_sd")) is not None
    ]
    return [f"mean of {' '.join(shown)}: {', '.join(spread)}"] if cell.parts else []


def _plain(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}"


LEGEND = (  # what stands for it in a figure, and what is then said
    ("", "skill, accuracy (acc), accuracy with the options given (restr) and answers outside the options (inval) in %"),
    ("floor", "floor: what the score before it would be, had each kind of question always got its commonest answer"),
    ("kinds", "kinds: mean over the kinds"),
    ("group", "text, video, group: all questions of a pair right"),
    ("]", "[95 % interval, bootstrap over videos]"),
    ("*", "*: of fewer than 10 videos, too few for the interval to be wide enough"),
    (
        "nat",
        "KL of attention (of a layer alone; end to end) and of answers in nats and answers flipped in %, on the videos "
        "compared, against the same rotation in full precision",
    ),
    (ITSELF, "of a cell in full precision, which is itself the reference, nothing is told"),
    ("", "times per video"),
    ("±", "± standard deviation across seeds"),
)
FULL_WIDTH = 112  # characters that scores and costs side by side take


def print_table(cells: Sequence[Cell], console: Console) -> None:
    """A block per strategy and rearranger; on a narrow terminal the costs follow the scores in blocks of their own."""
    measured = [columns for _, columns in score_blocks(cells)]
    distances, beside = known_of(DISTANCES, cells), known_of(JUDGE + BESIDE, cells)
    wide = console.width >= FULL_WIDTH
    parts = _in_width([*measured, COSTS] if wide else measured, console.width)
    parts += [distances + beside] if wide else [COSTS + beside, distances]
    shown_in_blocks = [columns for columns in parts if columns]
    for columns in shown_in_blocks:
        for title, block in blocks(cells):
            console.print(_block(title, block, IDENTITY + columns), "")
    figures = [text for columns in shown_in_blocks for column in columns for text in _words(column, cells)]
    console.print(Text(legend(figures), style="dim"))
    for cell in cells:
        if remark(cell):
            console.print(
                Text(printable(f"{cell.name}: {remark(cell)}"), style="yellow" if cell.status == "done" else "red")
            )


def _in_width(blocks: Sequence[tuple[Column, ...]], width: int) -> list[tuple[Column, ...]]:
    """Columns beside each other as far as a row of so many characters takes them."""
    parts: list[tuple[Column, ...]] = []
    for columns in blocks:
        if parts and sum(column.width + 1 for column in (*IDENTITY, *parts[-1], *columns)) <= width:
            parts[-1] += columns
        else:
            parts.append(columns)
    return parts


def _words(column: Column, cells: Sequence[Cell]) -> list[str]:
    return [column.header, *(column.text(cell) for cell in cells)]


def legend(figures: Sequence[str]) -> str:
    """What these figures need to be read."""
    return "; ".join(words for sign, words in LEGEND if any(sign in figure for figure in figures))


def blocks(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    """Cells that differ in frames and KV alone, titled by what they share."""
    return [(title, list(block)) for title, block in groupby(cells, lambda cell: f"{cell.strategy}, {cell.rearranger}")]


def _block(title: str, cells: Sequence[Cell], columns: Sequence[Column]) -> Table:
    table = Table(
        title=Text(printable(title), style="bold"), title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False
    )
    for column in columns:
        indent = "  " if column.justify == "left" else ""
        header = Text(f"{indent}{printable(column.group)}\n{indent}{column.header}")
        table.add_column(header, justify=column.justify, min_width=column.width, overflow="fold")
    for cell in cells:
        style = None if cell.status == "done" else "red"
        table.add_row(*(Text(printable(column.text(cell))) for column in columns), style=style)
    return table


def write_markdown(cells: Sequence[Cell], path: Path, heading: str) -> None:
    """One table of all cells, and above it where they come from."""
    shared = (
        Column("", "RoPE", lambda cell: cell.strategy, 0),
        Column("", "order", lambda cell: cell.rearranger, 0),
        *IDENTITY,
    )
    measured = [
        Column("", f"{regime} {column.header}".strip(), column.text, 0)
        for regime, columns in score_blocks(cells)
        for column in columns
    ]
    costs = [
        Column("", f"{column.group} {column.header}".strip(), column.text, 0)
        for column in (*COSTS, *known_of(DISTANCES + JUDGE + BESIDE, cells))
    ]
    columns = [*shared, *measured, *costs, Column("", "remark", remark, 0)]
    rows = [[column.text(cell) for column in columns] for cell in cells]
    header = [column.header for column in columns]
    said = legend([*header, *(text for row in rows for text in row[:-1])])
    stated = provenance_lines(path.parent, cells)
    text = f"# {printable(heading)}\n\n{stated}\n{said}.\n\n{markdown_table(header, rows)}"
    path.write_text(text, encoding="utf-8")


def write_csv(cells: Sequence[Cell], path: Path) -> None:
    """One line per cell, one column per metric, numbers as exact as in the folder; no text is a formula."""
    metrics = sorted({name for cell in cells for name in cell.metrics})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        named = [m for m in metrics if m != "frames"]
        header = ["cell", *GROUPS, "variant", *SEEDS, "frames", "status", "reason", *named]
        writer.writerow(map(spreadsheet_cell, header))
        for cell in cells:
            choices = [getattr(cell, group) for group in GROUPS]
            values = [cell.metrics.get(name, "") for name in named]
            seeds = [dict(cell.seeds).get(key, "") for key in SEEDS]
            line = [cell.name, *choices, cell.variant, *seeds, cell.frames, cell.status, cell.reason, *values]
            writer.writerow(map(spreadsheet_cell, line))


def main() -> int:
    parser = ArgumentParser("python -m analysis.table", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sweeps", nargs="+", type=Path, metavar="runs/<sweep>")
    parser.add_argument("--latex", action="store_true", help="Tables 1 and 4 of arXiv 2409.12963, beside these sweeps")
    given = parser.parse_args()

    def print_all() -> list[str]:
        sweeps = {}
        for folder in given.sweeps:
            cells = read_sweep(folder)
            refuse_mixed(cells)
            sweeps[folder.resolve().name] = over_seeds(cells)
        if given.latex:
            return [latex_tables(sweeps)]
        for cells in sweeps.values():
            print_table(cells, Console())
        return []

    return say(print_all)


if __name__ == "__main__":
    sys.exit(main())
