"""A dry run's sizes are each cell's own: whatever shapes a prefix is told apart."""

import re
from math import sqrt

import pytest
from scipy import stats

from experiments.sweep.dry_run import DIFFER, detectable_line


@pytest.mark.parametrize(
    "arguments", [("kv_evict=window", "kv_evict.tokens=60,70"), ("budget=random", "budget.keep=0.25,0.5")]
)
def test_cells_of_other_sizes_are_not_told_alike(evaluate, arguments):
    code, said = evaluate("-m", "sweep.name=sizes", "sweep.dry_run=true", "frames=16", *arguments)
    assert code == 0, said
    sizes = [found[1] for line in said.splitlines() if (found := re.search(r"-f16-\S+ .* ([\d.]+ k?B)", line))]
    assert len(sizes) == 2 == len(set(sizes)), said
    assert re.search(r"two cells on \d+ questions of \d+ videos: told apart in 80% of samples from \d", said), said


@pytest.mark.slow
def test_a_plan_changes_nothing_of_what_a_sweep_was_run_with(bench, evaluate):
    sweep = bench.folder / "runs" / "planned"
    assert evaluate("-m", "sweep.name=planned", "sweep.dry_run=true", "frames=8,16")[0] == 0
    assert not sweep.exists()
    sweep.mkdir(parents=True)
    (sweep / "multirun.yaml").write_text("hydra: {}  # as it was run\n")
    assert evaluate("-m", "sweep.name=planned", "sweep.dry_run=true", "frames=8,16")[0] == 0
    assert [file.name for file in sweep.iterdir()] == ["multirun.yaml"]
    assert (sweep / "multirun.yaml").read_text() == "hydra: {}  # as it was run\n"


def test_what_can_be_told_is_what_a_t_test_would_tell():
    """With equally many questions a video is one draw of their number, or as many."""
    found = re.search(r"from ([\d.]+) points .* or ([\d.]+) ", detectable_line([10] * 30))
    quantiles = stats.t.ppf(0.975, 29) + stats.norm.ppf(0.8)
    for text, draws in zip(found.groups(), (300, 30), strict=True):
        assert float(text) == pytest.approx(100 * quantiles * sqrt(DIFFER / draws), abs=0.05)
    assert detectable_line([10]) == "two cells cannot be told apart on 10 questions of 1 videos"
