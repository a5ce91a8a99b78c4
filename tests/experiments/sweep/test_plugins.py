"""Sweepers and launchers of Hydra's own: a search by Optuna goes by skill, joblib runs cells as jobs."""

import pytest
import yaml

from intpv.record.composed import read_composed

from ..cli import read

SEARCH = (
    *("-m", "hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_trials=3"),
    *("hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=0", "sweep.name=search"),
    *("frames=16", "rope_strategy=linear", "rope_strategy.factor=interval(1.0,4.0)"),
)
MINE = """
from dataclasses import dataclass
from intpv.rope_strategy.strategy import RopeStrategy

@dataclass(frozen=True, kw_only=True)
class Raises(RopeStrategy):
    def positions(self, layout, factor):
        raise ZeroDivisionError("no such thing")
"""


@pytest.mark.parametrize("launcher", ["basic", "workers"])  # the second finds the cells done, one launch for each
def test_optuna_finds_the_factor_of_most_skill(evaluate, bench, launcher):
    pytest.importorskip("optuna", reason="pip install hydra-optuna-sweeper")
    code, said = evaluate(*SEARCH, f"hydra/launcher={launcher}")
    assert code == 0, said
    cells = bench.cells("search").values()
    skills = {
        read_composed(cell).config["rope_strategy"]["factor"]: read(cell, "metrics.json")["skill"] for cell in cells
    }
    found = yaml.safe_load((bench.folder / "runs/search/optimization_results.yaml").read_text())
    assert len(skills) == 3
    assert found["best_value"] == max(skills.values()) == skills[found["best_params"]["rope_strategy.factor"]]
    assert found["best_value"] not in {read(cell, "metrics.json")["accuracy"] for cell in cells}


def test_joblib_runs_cells_as_jobs_and_their_failures_are_told(evaluate, bench):
    pytest.importorskip("joblib", reason="pip install hydra-joblib-launcher")
    (bench.folder / "mine.py").write_text(MINE)
    grid, ours = "rope_strategy._target_=mine.Raises", "intpv.rope_strategy.none.NoScaling"
    jobs = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "sweep.name=jobs")
    said = bench.run("-m", f"{grid},{ours}", "logger=none", *jobs, code=1)
    assert evaluate("-m", f"rope_strategy._target_={ours}", "hydra/launcher=basic", "sweep.name=basic")[0] == 0
    cells, ((name, alone),) = bench.cells("jobs"), bench.cells("basic").items()
    assert (cells.pop(name) / "samples.jsonl").read_bytes() == (alone / "samples.jsonl").read_bytes()
    ((failed, folder),) = cells.items()
    assert read(folder, "status.json")["status"] == "failed"
    assert f"failed {failed}: ZeroDivisionError: no such thing" in said
    assert grid in said
