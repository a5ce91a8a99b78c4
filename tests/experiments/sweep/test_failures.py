"""What goes wrong in a cell stays in it: exceptions, too little memory, a crash of the interpreter."""

import pytest

from intpv.logger.wandb import WandbMirror

from ...record.wandb_files import ended_runs
from ..cli import read

pytestmark = pytest.mark.slow  # whole sweeps

STRATEGIES = """
import faulthandler
import torch
from dataclasses import dataclass
from intpv.rope_strategy.strategy import RopeStrategy

@dataclass(frozen=True, kw_only=True)
class Raises(RopeStrategy):
    def positions(self, layout, factor):
        raise ZeroDivisionError("no such thing")

@dataclass(frozen=True, kw_only=True)
class WantsTooMuch(RopeStrategy):
    def positions(self, layout, factor):
        return torch.empty(2**50, dtype=torch.uint8)

@dataclass(frozen=True, kw_only=True)
class Crashes(RopeStrategy):
    def positions(self, layout, factor):
        faulthandler._sigsegv()
"""
TARGETS = {"failed": "Raises", "oom": "WantsTooMuch", "crash": "Crashes"}


@pytest.fixture(scope="module")
def sweep(bench, tmp_path_factory):
    """(what was said, kind of failure or "done" -> folder), after one sweep over all of them.

    It is started by a process with a run of W&B's own, as from a notebook, whose W&B all its children would use.
    """
    outer = WandbMirror(dir=str(tmp_path_factory.mktemp("outer")), offline=True)
    outer.start("outer", "notebook", {}, {})
    (bench.folder / "strategies.py").write_text(STRATEGIES)
    targets = ",".join([*(f"strategies.{name}" for name in TARGETS.values()), "intpv.rope_strategy.none.NoScaling"])
    said = bench.run("-m", "sweep.name=failures", f"rope_strategy._target_={targets}", code=1)
    outer.finish({}, failed=False)
    cells = {}
    for folder in bench.cells("failures").values():
        target = (folder / ".hydra" / "overrides.yaml").read_text()
        kind = next((kind for kind, name in TARGETS.items() if f"strategies.{name}" in target), "done")
        cells[kind] = folder
    return said, cells


def test_the_other_cells_go_on(sweep):
    _, cells = sweep
    assert set(cells) == {*TARGETS, "done"}
    assert read(cells["done"], "status.json")["status"] == "done"
    assert len((cells["done"] / "samples.jsonl").read_text().splitlines()) == 20


@pytest.mark.parametrize(
    ("kind", "status", "error", "logged"),
    [
        ("failed", "failed", "ZeroDivisionError", "ZeroDivisionError: no such thing"),
        ("oom", "oom", "RuntimeError", "allocate memory"),
        ("crash", "failed", "Crash", "Fatal Python error: Segmentation fault"),
    ],
)
def test_status_and_log_hold_the_traceback(sweep, kind, status, error, logged):
    folder = sweep[1][kind]
    found = read(folder, "status.json")
    assert found["status"] == status
    assert found["error"]["type"] == error
    assert logged in (folder / "evaluate.log").read_text()
    assert "strategies.py" in found["error"]["traceback"]
    assert found["error"].get("bytes_asked") == (2**50 if kind == "oom" else None)


def test_the_end_names_each_with_the_command_that_repeats_it(sweep):
    said, cells = sweep
    for kind, name in TARGETS.items():
        assert f"failed {cells[kind].name}: " in said
        assert f"rope_strategy._target_=strategies.{name}" in said
    assert "SIGSEGV" in said


def test_w_and_b_shows_them_failed(bench, sweep):
    cells = {folder.name: kind for kind, folder in sweep[1].items()}
    runs = ended_runs(bench.folder, 5, "failures").values()
    states = {cells[run.name]: run.state for run in runs if run.job_type == "cell"}
    assert states == {"failed": "failed", "oom": "failed", "crash": "failed", "done": "finished"}
    assert [run.state for run in runs if run.job_type == "summary"] == ["finished"]


def test_they_wait_for_retry_and_the_rest_is_not_run_again(bench, sweep):
    _, cells = sweep
    targets = ",".join([*(f"strategies.{name}" for name in TARGETS.values()), "intpv.rope_strategy.none.NoScaling"])
    before = {kind: (folder / "status.json").stat().st_mtime_ns for kind, folder in cells.items()}
    said = bench.run("-m", "sweep.name=failures", f"rope_strategy._target_={targets}", "sweep.retry=oom", code=1)
    again = {kind for kind, folder in cells.items() if (folder / "status.json").stat().st_mtime_ns != before[kind]}
    assert again == {"oom"}
    assert said.count("failed before; sweep.retry=failed runs it again") == 2


def test_a_worker_that_cannot_start_is_one_line(bench):
    """A file of the user's own that shadows a library, as happens."""
    shadow = bench.folder / "lightning.py"
    shadow.write_text("raise RuntimeError('not the one you wanted')\n")
    try:
        said = bench.run("-m", "sweep.name=shadow", "frames=8,16", code=2)
    finally:
        shadow.unlink()
    assert "no worker process can be started: RuntimeError: not the one you wanted" in said
