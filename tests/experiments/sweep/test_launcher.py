"""The launcher as its users meet it: plans, what is skipped, what is refused, what is shared."""

import json
import os
import subprocess
import sys

import pytest

from ..cli import ROOT, read

pytestmark = pytest.mark.slow  # whole sweeps

GRID = ("-m", "frames=8,16", "kv_quant=none,int2", "rope_strategy=none,visual_only", "logger=none")


@pytest.fixture(scope="module")
def grid(bench):
    """A sweep of eight cells on one worker, planned first: (plan, what the sweep said)."""
    plan = bench.run(*GRID, "sweep.name=shared", "sweep.dry_run=true")
    assert not bench.cells("shared")
    return plan, bench.run(*GRID, "sweep.name=shared", "hydra.launcher.workers=1")


def test_a_plan_names_every_cell_and_runs_none(bench, grid):
    plan, _ = grid
    for name in bench.cells("shared"):
        (line,) = (line.split() for line in plan.splitlines() if line.split()[:1] == [name])
        assert line[1:3] == ["new", "2"]
        assert line[-1] == "–"  # no earlier cell to go by
    assert "8 of 8 cells to run: time unknown until a first cell is done" in plan


def test_the_bytes_of_the_plan_are_the_bytes_of_the_cells(bench, grid):
    from analysis.table import bytes_text

    for name, folder in bench.cells("shared").items():
        (line,) = (line for line in grid[0].splitlines() if line.split()[:1] == [name])
        assert bytes_text(read(folder, "metrics.json")["kv/bytes"]) in line


def test_a_plan_of_a_finished_and_a_grown_sweep(bench, grid):
    assert "0 of 8 cells to run" in bench.run(*GRID, "sweep.name=shared", "sweep.dry_run=true")
    grown = bench.run(*GRID, "sweep.name=shared", "kv_quant=none,int2,int8", "sweep.dry_run=true")
    assert "4 of 12 cells to run: about" in grown
    assert sum(" new " in line and " 2 " in line for line in grown.splitlines()) == 4


def test_towers_and_prefixes_are_computed_once(bench, grid):
    fetched = {name: read(folder, "metrics.json")["cache/fetched"] for name, folder in bench.cells("shared").items()}
    # of each number of frames the first cell looks, its three fellows find everything at hand
    for frames in ("-f8-", "-f16-"):
        assert sorted(value for name, value in fetched.items() if frames in name)[1:] == [1, 1, 1]


def test_cells_that_must_be_equal_are_answered_once(bench, grid):
    """A strategy scales nothing at the trained number of frames: the seconds are those of the same answers."""
    seconds: dict[tuple, set] = {}
    for name, folder in bench.cells("shared").items():
        frames, kv = name.split("-")[2:4]
        seconds.setdefault((frames, kv), set()).add(read(folder, "metrics.json")["time/ask_s"])
    assert {place: len(values) for place, values in seconds.items()} == {
        ("f8", "none"): 1,
        ("f8", "int2"): 1,
        ("f16", "none"): 2,
        ("f16", "int2"): 2,
    }


def test_a_finished_sweep_imports_nothing_heavy(bench, grid):
    code = (
        "import sys; from experiments.evaluate import main\n"
        "try: main()\n"
        "except SystemExit as ended: print('code', ended.code)\n"
        "print('torch' in sys.modules, 'lightning' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, *GRID, "sweep.name=shared", *bench.arguments()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=bench.folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-2:] == ["code 0", "False False"], done.stdout + done.stderr


def test_hydras_own_launcher_gives_the_same_answers(bench, grid):
    bench.run(*GRID, "sweep.name=basic", "hydra/launcher=basic")
    ours, basic = bench.cells("shared"), bench.cells("basic")
    assert ours.keys() == basic.keys()
    for name, folder in ours.items():
        assert (folder / "samples.jsonl").read_bytes() == (basic[name] / "samples.jsonl").read_bytes()


def test_another_sweep_in_the_same_folder_is_refused(bench, grid):
    said = bench.run(*GRID, "sweep.name=shared", "seed=5", code=2)
    assert (
        "runs/shared holds a sweep with seed=0, this one has seed=5: give it a name of its own, sweep.name=..." in said
    )


def test_a_cell_of_another_commit_goes_on_under_a_warning_or_is_refused(bench, evaluate):
    assert evaluate("sweep.name=commits")[0] == 0
    (cell,) = bench.cells("commits").values()
    environment = read(cell, "environment.json") | {"commit": "0123456789", "clean": True, "diff": ""}
    (cell / "environment.json").write_text(json.dumps(environment))
    (cell / "status.json").write_text(json.dumps({"status": "running", "time": "", "error": None}))
    code, said = evaluate("sweep.name=commits", "sweep.strict=true")
    assert code == 1
    assert f"{cell.name} was begun at commit 0123456789, this is " in " ".join(said.split())
    assert "sweep.strict=true does not go on with it" in " ".join(said.split())
    assert read(cell, "status.json")["status"] == "failed"
    assert evaluate("sweep.name=commits")[0] == 0
    assert "was begun at commit 0123456789" in (cell / "evaluate.log").read_text()
    assert read(cell, "status.json")["status"] == "done"


def test_a_cache_that_cannot_be_written_is_gone_without_and_said_once(bench):
    (bench.folder / "file").touch()
    said = bench.run(*GRID[:2], "logger=none", "sweep.name=uncached", f"cache.dir={bench.folder}/file/cache")
    assert said.count("going on without it") == 1
    assert all(read(folder, "status.json")["status"] == "done" for folder in bench.cells("uncached").values())
