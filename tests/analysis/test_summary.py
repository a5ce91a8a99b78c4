"""Summary: a sweep folder in, tables and figures beside the cells; as a command, without a model."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from analysis.summary import summarise_sweep

ROOT = Path(__file__).parents[2]


def command(*arguments):
    environment = {**os.environ, "COLUMNS": "80", "OMP_NUM_THREADS": "1"}
    run = [sys.executable, *arguments]
    return subprocess.run(run, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)


@pytest.mark.slow
def test_writes_tables_and_figures(sweep):
    written = summarise_sweep(sweep, Console(file=io.StringIO(), width=80))
    figures = ["accuracy.png", "accuracy.pdf", "kv.png", "kv.pdf", "pareto.png", "pareto.pdf"]
    assert [path.name for path in written] == ["table.md", "table.csv", "differences.csv", *figures]
    assert all(path.parent == sweep and path.stat().st_size for path in written)


@pytest.mark.slow
def test_a_second_time_writes_the_same_tables(sweep):
    tables = []
    for _ in range(2):
        summarise_sweep(sweep, Console(file=io.StringIO()))
        tables.append([(sweep / name).read_bytes() for name in ("table.md", "table.csv", "differences.csv")])
    assert tables[0] == tables[1]


def test_a_sweep_that_failed_altogether_still_has_its_tables(tmp_path, write_cell):
    write_cell(tmp_path, lines=RuntimeError("no"))
    written = summarise_sweep(tmp_path, Console(file=io.StringIO()))
    assert [path.name for path in written] == ["table.md", "table.csv"]


@pytest.mark.slow
def test_is_a_command(sweep):
    run = command("-m", "analysis.summary", str(sweep))
    assert run.returncode == 0, run.stderr
    assert str(sweep / "accuracy.png") in run.stdout
    assert max(map(len, run.stdout.split(str(sweep))[0].splitlines())) <= 80


def test_a_mistyped_folder_is_one_line_and_exit_2(tmp_path):
    run = command("-m", "analysis.summary", str(tmp_path / "typo"))
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)


def test_never_loads_torch():
    program = (
        "import sys, analysis.summary, analysis.accuracy_figure, analysis.kv_figure; sys.exit('torch' in sys.modules)"
    )
    assert command("-c", program).returncode == 0
