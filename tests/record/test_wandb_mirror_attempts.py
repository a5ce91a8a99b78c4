"""The W&B mirror when things go wrong or happen at once: second attempts, many processes, no account, no disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from intpv.logger.wandb import WandbMirror, run_id

from .wandb_files import ended_runs, read_runs

ROOT = Path(__file__).parents[2]
CONFIG = {"frames": 32, "rope_strategy": {"factor": 4.0}}
CHOICES = {"rope_strategy": "yarn"}
METRICS = {"accuracy": 0.75, "skill": None}
STRIP = np.zeros((96, 192, 3), np.uint8)
PARALLEL = """
import sys
from intpv.logger.wandb import WandbMirror
mirror = WandbMirror(dir=sys.argv[1])
for cell in range(3):
    name = f"{sys.argv[2]}-{cell}"
    mirror.start("sweep", name, {"name": name, "model": {"layers": [cell] * 50}}, {"kv_quant": name})
    mirror.finish({"accuracy": cell / 10}, failed=False)
"""


def test_a_second_start_leaves_one_folder(tmp_path):
    mirror = WandbMirror(dir=str(tmp_path))
    for metrics, failed in (({}, True), (METRICS, False)):
        mirror.start("sweep", "cell", CONFIG, CHOICES)
        mirror.finish(metrics, failed)
    (run,) = ended_runs(tmp_path, 1).values()
    assert (run.state, run.metrics["accuracy"]) == ("finished", 0.75)


def test_a_folder_that_was_sent_stays_and_so_do_other_runs(tmp_path):
    mirror = WandbMirror(dir=str(tmp_path))
    for sweep, cell in (("sweep", "cell"), ("sweep", "cell2"), ("sweep2", "cell")):
        mirror.start(sweep, cell, CONFIG, CHOICES)
        mirror.finish({}, failed=True)
    old = next(run.folder for run in ended_runs(tmp_path, 3).values() if (run.group, run.name) == ("sweep", "cell"))
    sent = old.with_name(f"offline-run-20200101_000000-{run_id('sweep', 'cell')}")
    old.rename(sent)
    (sent / f"run-{run_id('sweep', 'cell')}.wandb.synced").touch()
    mirror.start("sweep", "cell", CONFIG, CHOICES)
    mirror.finish(METRICS, failed=False)
    ended_runs(tmp_path, 4)
    again = [run.folder for run in read_runs(tmp_path) if (run.group, run.name) == ("sweep", "cell")]
    assert len(again) == 2
    assert sent in again
    assert {run.group for run in read_runs(tmp_path) if run.name == "cell2"} == {"sweep"}


@pytest.mark.slow
def test_processes_side_by_side_keep_their_configs(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PARALLEL, str(tmp_path)]
    processes = [
        subprocess.Popen(
            [*command, name], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for name in "abc"
    ]
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert printed == [b""] * 3
    runs = ended_runs(tmp_path, 9)
    for run in runs.values():
        cell = int(run.name[-1])
        assert run.id == run_id("sweep", run.name)
        assert (run.config["name"], run.config["model"]) == (run.name, {"layers": [cell] * 50})
        assert (run.tags, run.metrics["accuracy"]) == ([f"kv_quant={run.name}"], cell / 10)


def test_nothing_is_printed(tmp_path, capfd):
    mirror = WandbMirror(dir=str(tmp_path / "new"))
    mirror.start("sweep", "cell", CONFIG, CHOICES)
    mirror.video([], STRIP)
    mirror.finish(METRICS, failed=False)
    mirror.summary("sweep", [{"cell": "a", "accuracy": 0.5}], [])
    assert capfd.readouterr() == ("", "")
    assert [run.name for run in ended_runs(tmp_path / "new", 2).values()]


def test_online_without_an_account_is_written_offline_with_a_word(tmp_path, caplog, capfd):
    mirror = WandbMirror(dir=str(tmp_path), offline=False)  # tests set WANDB_MODE=offline, so nobody is logged in
    mirror.start("sweep", "cell", CONFIG, CHOICES)
    mirror.finish(METRICS, failed=False)
    (run,) = ended_runs(tmp_path, 1).values()
    assert run.metrics["accuracy"] == 0.75
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "not logged in" in warning
    assert capfd.readouterr() == ("", "")


def test_a_mirror_that_cannot_write_does_not_stop_the_cell(tmp_path, caplog, monkeypatch):
    import wandb

    def refuse(**settings):
        raise wandb.errors.CommError("no network\nno hope")

    monkeypatch.setattr(wandb, "init", refuse)
    mirror = WandbMirror(dir=str(tmp_path))
    mirror.start("sweep", "cell", CONFIG, CHOICES)
    mirror.video([], STRIP)
    mirror.finish(METRICS, failed=False)
    mirror.summary("sweep", [], [])
    assert caplog.messages == ["WandbMirror: CommError: no network"] * 2


def test_a_table_that_fails_does_not_cost_the_metrics(tmp_path, caplog, monkeypatch):
    import wandb

    monkeypatch.delattr(wandb, "Image")
    mirror = WandbMirror(dir=str(tmp_path))
    mirror.start("sweep", "cell", CONFIG, CHOICES)
    mirror.video([], STRIP)
    mirror.finish(METRICS, failed=False)
    (run,) = ended_runs(tmp_path, 1).values()
    assert (run.state, run.metrics["accuracy"]) == ("finished", 0.75)
    assert "AttributeError" in caplog.text


def test_a_config_that_is_not_plain_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        WandbMirror(dir=str(tmp_path)).start("sweep", "cell", {"model": object()}, {})
