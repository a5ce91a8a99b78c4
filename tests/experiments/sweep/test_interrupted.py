"""Ctrl-C, kill -9 of everything, a full disk: what was answered is kept and the same command goes on."""

import errno
import json
import os
import signal
import time

import pytest

from intpv.record.run_folder import RunFolder

from ..cli import interrupt

SWEEP = ("-m", "frames=8,16", "kv_quant=none,int2", "data.limit=40", "logger=none")


def answered(bench, sweep: str) -> int:
    return sum(file.read_bytes().count(b"\n") for file in (bench.folder / "runs" / sweep).glob("*/samples.jsonl"))


def wait_for_answers(bench, sweep: str, count: int) -> None:
    deadline = time.monotonic() + 120
    while answered(bench, sweep) < count:
        assert time.monotonic() < deadline, "the sweep answers nothing"
        time.sleep(0.01)


def without_times(folder) -> dict:
    metrics = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if not name.startswith(("time/", "cache/"))}


@pytest.fixture(scope="module")
def whole(bench):
    """The sweep run without a break."""
    bench.run(*SWEEP, "sweep.name=whole_sweep")
    return bench.cells("whole_sweep")


def assert_equal_to(whole, cells) -> None:
    assert cells.keys() == whole.keys()
    for name, folder in whole.items():
        assert (cells[name] / "samples.jsonl").read_bytes() == (folder / "samples.jsonl").read_bytes()
        assert without_times(cells[name]) == without_times(folder)


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_loses_nothing(bench, whole):
    process = bench.start(*SWEEP, "sweep.name=stopped")
    wait_for_answers(bench, "stopped", 50)
    out, err = interrupt(process)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert (
        err.strip() == "evaluate: interrupted: what was answered is kept; the same command goes on with the next video"
    )
    kept = answered(bench, "stopped")
    assert 50 <= kept < answered(bench, "whole_sweep")
    statuses = {RunFolder(folder).status() for folder in bench.cells("stopped").values()}
    assert statuses <= {"running", "done"}
    bench.run(*SWEEP, "sweep.name=stopped")
    assert_equal_to(whole, bench.cells("stopped"))


@pytest.mark.slow
def test_ctrl_c_in_a_single_cell_is_the_same_line(bench):
    process = bench.start("frames=16", "data.limit=100", "logger=none", "sweep.name=one_cell")
    wait_for_answers(bench, "one_cell", 50)
    out, err = interrupt(process)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert err.strip().splitlines()[-1].startswith("evaluate: interrupted: what was answered is kept;")
    (cell,) = bench.cells("one_cell").values()
    assert RunFolder(cell).status() == "running"


@pytest.mark.slow
def test_after_kill_9_of_the_parent_no_worker_stays_and_the_sweep_goes_on(bench, whole):
    process = bench.start(*SWEEP, "sweep.name=killed")
    wait_for_answers(bench, "killed", 50)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)  # its pipes close when the last worker is gone
    kept = answered(bench, "killed")
    time.sleep(0.5)
    assert answered(bench, "killed") == kept
    moved = (bench.folder / "runs" / "killed").rename(bench.folder / "runs" / "moved")  # a folder may move, too
    bench.run(*SWEEP, "sweep.name=moved")
    assert moved.exists()
    assert_equal_to(whole, bench.cells("moved"))


def test_a_full_disk_stops_and_says_how_to_go_on(bench, evaluate, monkeypatch):
    append, written = RunFolder.append, []

    def full(self, records):
        if len(written) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path / "samples.jsonl"))
        written.append(records)
        append(self, records)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", full)
        code, said = evaluate("sweep.name=full")
    (cell,) = bench.cells("full").values()
    assert code == 1
    assert "samples.jsonl: No space left on device" in " ".join(said.split())
    assert "the same command goes on with the next video" in " ".join(said.split())
    assert "Traceback" not in said
    assert RunFolder(cell).status() == "running"
    assert evaluate("sweep.name=full")[0] == 0
    assert len(written[0]) == 10
    assert RunFolder(cell).status() == "done"
