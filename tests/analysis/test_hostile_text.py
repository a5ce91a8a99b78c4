"""A benchmark whose labels and errors are hostile: every table and figure of the sweep shows them and obeys none."""

import csv
import io

import pytest
from rich.console import Console

from analysis.logger_rows import curves
from analysis.runs import read_sweep
from analysis.summary import summarise_sweep

REGIME = "=cmd|'/c calc'!A0 $\\frac$ <img src=x> [a](b)"
REASON = "\x1b[2J\x1b]0;owned\x07 of a|b"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers):
    folder = tmp_path_factory.mktemp("hostile")
    for frames in (8, 16):
        write_cell(folder, frames=frames, lines=answers(regimes=("slow", REGIME)))
    write_cell(folder, frames=32, lines=ValueError(REASON))
    return folder


@pytest.fixture(scope="module")
def shown(sweep):
    """What the terminal is sent; tables and figures are beside the cells."""
    screen = io.StringIO()
    written = summarise_sweep(sweep, Console(file=screen, width=200, force_terminal=True, color_system=None))
    assert {path.name for path in written} >= {"table.md", "table.csv", "accuracy.png"}
    return screen.getvalue()


@pytest.mark.slow
def test_the_terminal_is_sent_no_control_of_theirs(shown):
    assert "\x07" not in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\\x1b[2J" in shown


def test_rows_of_markdown_have_the_header_s_cells(sweep, shown):
    text = (sweep / "table.md").read_text(encoding="utf-8")
    tables = [
        [line.replace("\\|", "") for line in part.splitlines() if line.startswith("|")] for part in text.split("\n## ")
    ]
    assert len(tables[0]) == 2 + 3
    assert len(tables) == 2
    assert [len({row.count("|") for row in rows}) for rows in tables] == [1] * len(tables)
    assert "<img" not in text
    assert "](" not in text


def test_no_cell_of_the_csv_is_a_formula_and_numbers_stay_numbers(sweep, shown):
    with (sweep / "table.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert f"'{REGIME}/accuracy" in header
    for cell in (cell for row in (header, *rows) for cell in row):
        if cell.startswith(("=", "+", "-", "@")):
            float(cell)


def test_curves_are_keyed_by_letters(sweep):
    assert all(curve.key.replace("_", "").isalnum() for curve in curves(read_sweep(sweep)))
