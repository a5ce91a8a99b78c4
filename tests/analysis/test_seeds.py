"""Seeds: a mean and a spread in place of several lines, judged by numpy, and pairs that stay on one split."""

import csv
import io

import numpy as np
import pytest
from rich.console import Console

from analysis.logger_rows import curves
from analysis.pairs import append_pairs, difference, partners
from analysis.runs import read_sweep
from analysis.seeds import over_seeds
from analysis.summary import summarise_sweep
from intpv.metrics.cell import summarise


@pytest.fixture
def seeded(tmp_path, write_cell, answers):
    """Two strategies at 8 and 16 frames with three seeds of the run; another split has none and yarn, at 8 frames."""
    for number, rope in enumerate(("none", "yarn")):
        for frames in (8, 16):
            for seed in (1, 2, 3):
                lines = answers(0.6 + 0.1 * number, seed=10 * seed + frames + number)
                write_cell(tmp_path / "sweep", rope, frames, lines=lines, seeds=(seed, 0))
    return tmp_path / "sweep"


def of(cells, rope, frames=8):
    (found,) = [cell for cell in cells if (cell.strategy, cell.frames) == (rope, frames)]
    return found


def test_three_seeds_are_one_point_with_the_mean_and_the_standard_deviation(seeded):
    cells = read_sweep(seeded)
    points = over_seeds(cells)
    assert [(cell.strategy, cell.frames) for cell in points] == [(r, f) for r in ("none", "yarn") for f in (8, 16)]
    for point in points:
        runs = [cell for cell in cells if (cell.strategy, cell.frames) == (point.strategy, point.frames)]
        for metric in ("accuracy", "slow/accuracy", "slow/skill"):
            values = np.array([run.metrics[metric] for run in runs])
            assert point.metrics[metric] == pytest.approx(values.mean())
            assert point.metrics[f"{metric}_sd"] == pytest.approx(values.std(ddof=1))
            assert point.metrics[f"{metric}_ci95_low"] < values.mean() < point.metrics[f"{metric}_ci95_high"]
        assert (point.metrics["videos"], point.metrics["questions"]) == (20, 80)  # asked three times, yet the same


def test_the_interval_draws_a_video_with_the_answers_of_all_runs(tmp_path, write_cell, answers):
    lines = answers()
    for seed in (1, 2, 3):
        write_cell(tmp_path, lines=lines, seeds=(seed, 0))
    (point,) = over_seeds(read_sweep(tmp_path))
    alone = summarise(lines)
    # what every run repeats adds no knowledge: the interval is that of one run, and nothing is spread
    assert {name: point.metrics[name] for name in alone} == pytest.approx(alone)
    assert point.metrics["accuracy_sd"] == 0


def test_other_splits_are_other_videos(tmp_path, write_cell, answers):
    lines = answers()
    for split in (1, 2):
        write_cell(tmp_path, lines=lines, seeds=(0, split))
    (point,) = over_seeds(read_sweep(tmp_path))
    assert (point.metrics["videos"], point.metrics["questions"]) == (40, 160)
    widths = [
        one["accuracy_ci95_high"] - one["accuracy_ci95_low"] for one in (summarise(lines), point.metrics)
    ]  # twice the videos
    assert widths[0] / widths[1] == pytest.approx(2**0.5, rel=0.15)


def test_a_failed_seed_is_a_row_of_its_own_and_no_part_of_the_mean(tmp_path, write_cell, answers):
    for seed in (1, 2):
        write_cell(tmp_path, lines=answers(seed=seed), seeds=(seed, 0))
    write_cell(tmp_path, lines=RuntimeError("no"), seeds=(3, 0))
    points = over_seeds(read_sweep(tmp_path))
    assert [(cell.status, len(cell.parts)) for cell in points] in ([("done", 2), ("failed", 0)],)


def test_cells_that_measured_other_things_are_one_cell(tmp_path, write_cell, answers):
    lines = answers()
    for override in ((), ("measure=full",)):
        write_cell(tmp_path, lines=lines, overrides=override)
    (point,) = over_seeds(read_sweep(tmp_path))
    assert point.parts == ()
    assert point.metrics["accuracy"] == summarise(lines)["accuracy"]


@pytest.mark.slow
def test_the_summary_has_a_row_and_a_line_per_strategy(seeded):
    printed = io.StringIO()
    summarise_sweep(seeded, Console(file=printed, width=80))
    table, pairs = (seeded / "table.md").read_text(encoding="utf-8").split("## Paired differences")
    assert sum(line.startswith(("| none", "| yarn")) for line in table.splitlines()) == 4
    assert sum(line.startswith(("| none", "| yarn")) for line in pairs.splitlines()) == 3
    assert table.count("mean of seed=1,2,3: slow skill ±") == 4
    assert max(map(len, printed.getvalue().splitlines())) <= 80
    with (seeded / "table.csv").open(encoding="utf-8") as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["1", "2", "3"] * 4
    (slow, fast) = curves(read_sweep(seeded))
    assert {label: list(line) for label, line in slow.lines.items()} == {"none": [8, 16], "yarn": [8, 16]}
    assert fast.lines["yarn"][8] == pytest.approx(of(over_seeds(read_sweep(seeded)), "yarn").metrics["fast/accuracy"])


def test_pairs_are_of_equal_seeds_and_never_of_two_splits(tmp_path, write_cell, answers):
    for split in (1, 2, 3):
        write_cell(tmp_path, "yarn", lines=answers(0.8, seed=split), seeds=(0, split))
    for split, seed in ((1, 0), (1, 4), (2, 5)):
        write_cell(tmp_path, "none", lines=answers(0.5, seed=10 * split + seed), seeds=(seed, split))
    points = over_seeds(read_sweep(tmp_path))
    cell, base = of(points, "yarn"), of(points, "none")
    found = [(dict(one.seeds), dict(other.seeds)) for one, other in partners(cell, base)]
    assert [(one["data.seed"], one["seed"], other["data.seed"], other["seed"]) for one, other in found] == [
        (1, 0, 1, 0),
        (2, 0, 2, 5),
    ]
    append_pairs(points, tmp_path / "table.md")
    (row,) = [line for line in (tmp_path / "table.md").read_text().splitlines() if line.startswith("| yarn")]
    slow = [
        100 * np.mean([difference(one.samples(), other.samples(), "slow").mean for one, other in partners(cell, base)])
    ]
    assert f"| {slow[0]:+.1f} [" in row
    assert row.count("(2 of 3 seeds)") == 2
