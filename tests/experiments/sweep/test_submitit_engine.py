"""Jobs as an engine: every batch in one job, answers as of worker processes, a job that is killed is lost alone."""

import os
import shutil
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep import submitit_engine
from experiments.sweep.crew import Patience
from experiments.sweep.submitit_engine import SubmititEngine, Task, dealt
from intpv.errors import BadInput

from ..cli import read

SWEEP = ("-m", "frames=8,16", "kv_quant=none,int2", "logger=none")
LOCAL = ("hydra/launcher=slurm_local", "hydra.launcher.engine.poll_s=0.1")


@pytest.fixture
def submitit():
    return pytest.importorskip("submitit", reason="submitit is not installed: pip install submitit")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_every_batch_is_in_one_share_in_order_and_none_is_empty(sizes, jobs):
    batches = [[f"{number}/{cell}" for cell in range(size)] for number, size in enumerate(sizes)]
    shares = dealt(batches, jobs)
    assert [batch for share in shares for batch in share] == batches
    assert all(shares)
    assert len(shares) <= jobs
    # no share has more than its part and what a batch that lies across its border adds
    assert max(sum(map(len, share)) for share in shares) <= sum(sizes) / jobs + max(sizes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cluster": "pbs"}, "engine.cluster must be one of slurm, local, got pbs"),
        ({"jobs": 0}, "engine.jobs must be a whole number of at least 1, got 0"),
        ({"requeues": -1}, "engine.requeues must be a whole number of at least 0, got -1"),
        ({"poll_s": 0}, "engine.poll_s must be a number of seconds above 0, got 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, said):
    with pytest.raises(BadInput, match=said):
        SubmititEngine(**{"cluster": "local", **settings})


def test_without_the_package_or_slurm_it_is_said_before_anything_is_made(evaluate, bench, monkeypatch):
    monkeypatch.setattr(submitit_engine, "find_spec", lambda name: None)
    code, said = evaluate("-m", "frames=8,16", "hydra/launcher=slurm", "sweep.name=absent")
    assert (code, said.count("\n")) == (2, 1)
    assert said.endswith("pip install submitit\n")
    monkeypatch.setattr(submitit_engine, "find_spec", lambda name: True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, said = evaluate("-m", "frames=8,16", "hydra/launcher=slurm", "sweep.name=absent")
    assert (code, said.count("\n")) == (2, 1)
    assert "hydra/launcher=slurm needs sbatch" in said
    assert not (bench.folder / "runs" / "absent").exists()


def test_what_is_requeued_is_the_same_task(submitit):
    task = Task([], 1, 1, Patience())
    assert task.checkpoint().function is task


@pytest.mark.parametrize("given", [{"nodez": 2}, {"timeout_min": 0.8}, {"timeout_min": "soon"}])
def test_a_parameter_that_submitit_does_not_take_is_named(submitit, tmp_path, given):
    engine = SubmititEngine("local", parameters=given)
    with pytest.raises(BadInput, match=f"parameters are not what submitit takes: .*{next(iter(given))}"):
        engine._submit([], tmp_path / "logs")


@pytest.mark.slow
def test_jobs_give_the_answers_of_worker_processes(submitit, bench):
    bench.run(*SWEEP, "sweep.name=workers", "hydra.launcher.workers=1")
    said = bench.run(*SWEEP, *LOCAL, "sweep.name=jobs")
    assert "2 jobs submitted" in said
    ours, jobs = bench.cells("workers"), bench.cells("jobs")
    assert ours.keys() == jobs.keys()
    for name, folder in ours.items():
        assert (folder / "samples.jsonl").read_bytes() == (jobs[name] / "samples.jsonl").read_bytes()
        assert read(jobs[name], "status.json")["status"] == "done"
    assert "jobs submitted" not in bench.run(*SWEEP, *LOCAL, "sweep.name=jobs")  # nothing is left to do


@pytest.mark.slow
def test_a_job_that_is_killed_costs_its_cells_in_flight_and_the_same_command_goes_on(submitit, bench):
    command = (*SWEEP, *LOCAL, "sweep.name=killed", "data.limit=8", "hydra.launcher.engine.jobs=1")
    process = bench.start(*command)
    runs = bench.folder / "runs" / "killed"
    deadline = time.monotonic() + 200
    while not any(file.stat().st_size for file in runs.glob("*/samples.jsonl")):
        assert time.monotonic() < deadline, "the sweep answers nothing"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    out, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "ended before it was done" in out + err
    kept = sum(file.read_bytes().count(b"\n") for file in runs.glob("*/samples.jsonl"))
    assert kept > 0
    bench.run(*command)
    assert all(read(folder, "status.json")["status"] == "done" for folder in bench.cells("killed").values())
    bench.run(*SWEEP, "sweep.name=whole", "data.limit=8", "hydra.launcher.workers=1")
    for name, folder in bench.cells("whole").items():
        assert (folder / "samples.jsonl").read_bytes() == (runs / name / "samples.jsonl").read_bytes()
    assert os.listdir(runs / submitit_engine.LOGS)
