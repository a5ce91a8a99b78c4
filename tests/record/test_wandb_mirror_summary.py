"""The W&B mirror's run per sweep: its table, its charts and its history, read back from the offline files."""

import pytest

from intpv.logger.mirror import Curve
from intpv.logger.wandb import WandbMirror, run_id

from .wandb_files import ended_runs

ROWS = [
    {"cell": "a", "rope_strategy": "yarn", "frames": 8, "status": "done", "reason": "", "accuracy": 0.5, "kv/bytes": 7},
    {"cell": "b", "rope_strategy": "none", "frames": 64, "status": "oom", "reason": "40 GB asked"},
]
CURVES = [
    Curve("accuracy_slow_by_strategy", "slow", {"none": {8: 0.5, 64: 0.25}, "yarn factor=2.5": {64: 1.0}}),
    Curve("accuracy_fast_by_strategy", "fast", {"none": {8: 0.125}}),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror")
    mirror = WandbMirror(dir=str(folder))
    mirror.summary("sweep", ROWS[:1], [])
    mirror.summary("sweep", ROWS, CURVES)  # a second time takes the place of the first
    (found,) = ended_runs(folder, 1).values()
    return found


def test_it_is_one_run_of_the_sweep(run):
    assert (run.id, run.name, run.group) == (run_id("sweep", "summary"), "sweep summary", "sweep")
    assert (run.job_type, run.state, run.config["sweep"]) == ("summary", "finished", "sweep")


def test_its_table_has_every_cell_with_every_column(run):
    assert run.table("cells") == [ROWS[0], {**dict.fromkeys(ROWS[0]), **ROWS[1]}]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.title)
def test_each_curve_is_a_chart_with_a_line_per_label(run, curve):
    assert run.chart(f"curves/{curve.key}") == curve.lines


def test_points_are_history_over_frames(run):
    points = [row for row in run.rows if "frames" in row]
    assert points == [
        {"frames": 8, "accuracy_slow_by_strategy/none": 0.5, "accuracy_fast_by_strategy/none": 0.125},
        {"frames": 64, "accuracy_slow_by_strategy/none": 0.25, "accuracy_slow_by_strategy/yarn_factor_2_5": 1.0},
    ]
    assert {run.step_metrics[f"{curve.key}/*"] for curve in CURVES} == {"frames"}
