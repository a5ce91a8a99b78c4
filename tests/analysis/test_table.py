"""Tables: every cell has its row, the numbers are the folder's, and a terminal of 80 columns is enough."""

import csv
import io
import json

import pytest
from rich.console import Console

from analysis.runs import read_sweep
from analysis.table import FULL_WIDTH, print_table, write_csv, write_markdown


def printed(cells, width):
    console = Console(file=io.StringIO(), width=width)
    print_table(cells, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, FULL_WIDTH, 200])
def test_fits_the_terminal_and_cuts_nothing(sweep, width):
    cells = read_sweep(sweep)
    text = printed(cells, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for cell in cells:
        if cell.status == "done":
            rows = [line.split() for line in text.splitlines() if line.split()[:2] == [str(cell.frames), cell.kv_quant]]
            shown = {word for row in rows for word in row}
            for regime in ("slow", "fast"):
                for metric in ("skill", "accuracy", "accuracy_restricted", "invalid_rate"):
                    assert f"{100 * cell.metrics[f'{regime}/{metric}']:.1f}" in shown


def test_wide_terminals_show_a_cell_in_one_row(sweep):
    cells = read_sweep(sweep)
    rows = {
        width: sum(line.split()[1:2] == ["int2"] for line in printed(cells, width).splitlines()) for width in (80, 200)
    }
    assert rows == {80: 8, 200: 4}


def test_failures_are_shown_with_their_reason(sweep):
    text = printed(read_sweep(sweep), 200)
    assert "strided-yarn-f32-int2: oom: MemoryError: 40 GB asked" in text


def test_unanswered_questions_are_remarked(tmp_path, write_cell, answers):
    lines = [{**one, "error": "no frames" if one["video"] == "v0000" else None} for one in answers(videos=20)]
    write_cell(tmp_path, lines=lines)
    assert "only 95.0 % of the questions could be answered" in printed(read_sweep(tmp_path), 200)


def test_csv_has_the_numbers_of_the_folder(sweep, tmp_path):
    write_csv(read_sweep(sweep), tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {folder.name for folder in sweep.iterdir()}
    for name, row in rows.items():
        file = sweep / name / "metrics.json"
        metrics = json.loads(file.read_text()) if file.exists() else {}
        assert row["status"] == ("done" if metrics else "oom")
        assert {key: float(row[key]) for key in metrics} == metrics


def test_markdown_has_a_row_per_cell_in_the_same_columns(sweep, tmp_path):
    write_markdown(read_sweep(sweep), tmp_path / "table.md", "made up")
    rows = [line.split("|") for line in (tmp_path / "table.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    assert len(rows) == 2 + 8
    assert len({len(row) for row in rows}) == 1
    assert "oom: MemoryError: 40 GB asked" in rows[-1][-2]


def test_without_regimes_all_questions_are_shown(tmp_path, write_cell, answers):
    write_cell(tmp_path, lines=answers(regimes=()))
    (cell,) = read_sweep(tmp_path)
    assert f"{100 * cell.metrics['accuracy']:.1f}" in printed([cell], 80)


DISTANCES = {
    "attention_kl/local/all/mean": 1.234e-4,
    "attention_kl/local/all/mean_ci95_low": 1.1e-4,
    "attention_kl/local/all/mean_ci95_high": 1.5e-4,
    "attention_kl/end_to_end/all/mean": 0.0567,
    "attention_kl/answer_kl/mean": 2.5,
    "flips/right_to_wrong": 0.03,
    "flips/wrong_to_right": 0.02,
    "flips/changed_wrong": 0.0,
    "attention_kl/videos": 10,
    "memory/peak_bytes": 6_500_000,
}


def test_what_quantisation_moves_stands_beside_accuracy(sweep, tmp_path):
    assert "nat" not in printed(read_sweep(sweep), 200)  # nothing is said where nothing was measured
    for file in sweep.glob("strided-none-f32-*/metrics.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | DISTANCES))
    cells = read_sweep(sweep)
    write_markdown(cells, tmp_path / "table.md", "sweep")
    for text in (printed(cells, 80), printed(cells, 200), (tmp_path / "table.md").read_text()):
        words = " ".join(text.split())
        for figure in ("123 µnat [110, 150]", "56.7 mnat", "2.50 nat", "5.0", "10", "6.50 MB"):
            assert figure in words
        assert "against the same rotation in full precision" in words
        assert "full precision, which is itself the reference" in words
        rows = [line for line in text.splitlines() if "itself" in line and "32" in line and "none" in line]
        assert rows
        assert not any("nat" in row for row in rows)


def _published(answers, regimes=(), **changes):
    """Lines of a benchmark that knows no bounds."""
    return [line | {"ceiling": None, "blind": None, **changes} for line in answers(regimes=regimes)]


@pytest.mark.parametrize("width", [80, FULL_WIDTH])
def test_a_benchmark_without_bounds_has_its_floor_beside_every_accuracy(tmp_path, write_cell, answers, width):
    write_cell(tmp_path, lines=_published(answers, ("long", "short", "3600s", "15s")))
    (cell,) = cells = read_sweep(tmp_path)
    text = printed(cells, width)
    assert max(map(len, text.splitlines())) <= width
    assert "skill" not in text.splitlines()[2]
    assert text.index("short") < text.index("long") < text.index("15s") < text.index("3600s")
    assert text.count("floor") == 1 + 4 + 1 + 1  # all, four regimes, the mean over kinds, and the words for it
    assert f"{100 * cell.metrics['majority_floor']:.1f}" in text
    write_markdown(cells, tmp_path / "table.md", "made up")
    header = (tmp_path / "table.md").read_text(encoding="utf-8").split("| RoPE")[1].splitlines()[0]
    assert "accuracy | floor | restr | inval | kinds | floor | short acc | short floor |" in header


def test_pairs_have_their_scores_and_floors(tmp_path, write_cell, answers):
    lines = [
        line | {"kind": ("text", "video")[n // 2 % 2], "labels": {"pair": n // 4}}
        for n, line in enumerate(_published(answers))
    ]
    write_cell(tmp_path, lines=lines)
    (cell,) = cells = read_sweep(tmp_path)
    text = printed(cells, FULL_WIDTH)
    for name in ("pair_score/text", "pair_score/video", "group_score", "group_score_floor"):
        assert f"{100 * cell.metrics[name]:.1f}" in text
    assert "text floor" in " ".join(text.split())
