"""differences.csv: numpy's differences of the answers themselves, seeds pooled, and a width for equal answers."""

from itertools import product

import numpy as np
import pytest

from analysis.differences import differences, read_differences, write_differences
from analysis.runs import read_sweep
from analysis.seeds import over_seeds
from analysis.verdict import NOTHING, verdict


def right(lines, regime, kind):
    chosen = [one for one in lines if one["labels"]["regime"] == regime and kind in ("", one["kind"])]
    return np.array([one["correct"] for one in sorted(chosen, key=lambda one: one["id"])], dtype=int)


def test_lines_are_the_differences_of_the_answers(tmp_path, write_cell, answers):
    one, other = answers(0.9, seed=1), answers(0.6, seed=2)
    write_cell(tmp_path, "none", 8, lines=one)
    write_cell(tmp_path, "none", 32, lines=other)
    rows = list(differences(read_sweep(tmp_path)))
    assert [(row["regime"], row["kind"]) for row in rows] == [
        (regime, kind) for regime in ("slow", "fast") for kind in ("", "order", "presence")
    ]
    for row in rows:
        net = right(other, row["regime"], row["kind"]) - right(one, row["regime"], row["kind"])
        assert (row["reference"], row["frames"], row["questions"], row["videos"]) == ("baseline", 32, len(net), 10)
        assert (row["gained"], row["lost"]) == ((net > 0).sum(), (net < 0).sum())
        assert row["mean"] == pytest.approx(net.mean(), abs=1e-5)
        assert row["ci95_low"] < row["mean"] < row["ci95_high"]
        assert row["low"] < row["mean"] < row["high"]


def test_the_file_reads_back(sweep):
    cells = read_sweep(sweep)
    assert write_differences(cells, sweep / "differences.csv")
    kept = list(differences(cells))
    assert read_differences(sweep / "differences.csv") == kept
    assert {row["reference"] for row in kept} == {"baseline", "full precision"}


def test_splits_are_pooled_as_other_videos(tmp_path, write_cell, answers):
    for split in (1, 2, 3):
        write_cell(tmp_path, "none", 8, lines=answers(0.9, seed=split), seeds=(0, split))
        write_cell(tmp_path, "none", 32, lines=answers(0.6, seed=10 + split), seeds=(0, split))
    (row, *_) = differences(over_seeds(read_sweep(tmp_path)))
    assert (row["runs"], row["videos"], row["questions"]) == (3, 30, 120)


def test_seeds_of_one_split_are_the_same_videos(tmp_path, write_cell, answers):
    for seed in (1, 2, 3):
        write_cell(tmp_path, "none", 8, lines=answers(0.9, seed=0), seeds=(seed, 0))
        write_cell(tmp_path, "none", 32, lines=answers(0.6, seed=9), seeds=(seed, 0))
    (pooled, *_) = differences(over_seeds(read_sweep(tmp_path)))
    (alone, *_) = differences([cell for cell in read_sweep(tmp_path) if dict(cell.seeds)["seed"] == 1])
    assert (pooled["videos"], pooled["questions"]) == (10, 120)  # what every run repeats adds no knowledge
    assert [pooled[name] for name in ("mean", "low", "high")] == [alone[name] for name in ("mean", "low", "high")]


@pytest.mark.parametrize(("videos", "alike"), [(20, False), (170, True)])
def test_equal_answers_lose_nothing_only_of_many_videos(tmp_path, write_cell, answers, videos, alike):
    for kv in ("none", "int8"):
        write_cell(tmp_path, "yarn", 32, kv, lines=answers(videos=videos, regimes=("slow",)))
    rows = list(differences(read_sweep(tmp_path)))
    assert all(row["mean"] == 0 and row["ci95_low"] is None and row["low"] < 0 < row["high"] for row in rows)
    assert (verdict(rows) == NOTHING) == alike


def test_cells_of_other_questions_have_no_lines(tmp_path, write_cell, answers):
    write_cell(tmp_path, "none", 8, lines=answers(videos=4))
    write_cell(tmp_path, "none", 16, lines=answers(videos=6))
    assert not write_differences(read_sweep(tmp_path), tmp_path / "differences.csv")
    assert not (tmp_path / "differences.csv").exists()


def test_each_training_alone_is_told_beside_the_mean(tmp_path, write_cell, answers):
    made = {}
    for training, split, frames in product((0, 1), (1, 2), (8, 32)):
        lines = answers(0.9 if frames == 8 else 0.8 - 0.3 * training, seed=10 * training + split + frames)
        made[training, split, frames] = lines
        write_cell(tmp_path, "none", frames, lines=lines, seeds=(0, split, training))
    rows = list(differences(over_seeds(read_sweep(tmp_path))))
    for row in rows:
        alone = [
            np.concatenate(
                [
                    right(made[training, split, 32], row["regime"], row["kind"])
                    - right(made[training, split, 8], row["regime"], row["kind"])
                    for split in (1, 2)
                ]
            ).mean()
            for training in (0, 1)
        ]
        assert row["trainings"] == pytest.approx(alone, abs=1e-5)
        assert row["mean"] == pytest.approx(np.mean(alone), abs=2e-5)
    write_differences(over_seeds(read_sweep(tmp_path)), tmp_path / "differences.csv")
    assert read_differences(tmp_path / "differences.csv") == rows
