"""What failed, and how to go on, is said whatever else goes wrong: a full disk, a summary, a mirror."""

import errno
import os

import pytest

from analysis import summary
from experiments.run import cell as running
from intpv.logger.mirror import NullMirror
from intpv.record.run_folder import RunFolder

FAILING = "seed=7"  # the override of a cell that `failing` lets fail


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x/table.md")


def broken(*_, **__):
    raise ZeroDivisionError("of the mirror's own")


@pytest.fixture
def failing(monkeypatch):
    """Whatever runs a cell raises: what the config alone decides would be refused before any cell."""
    monkeypatch.setattr(running, "_run", broken)


@pytest.mark.slow
@pytest.mark.parametrize("error", [full, broken])
@pytest.mark.usefixtures("failing")
def test_a_failing_summary(evaluate, monkeypatch, error):
    monkeypatch.setattr(summary, "summarise_sweep", error)
    code, said = evaluate("-m", f"sweep.name=summary_{error.__name__}", "hydra/launcher=basic", FAILING)
    said = " ".join(said.split())
    assert code == 1
    assert "failed strided-none-f8-none-" in said
    assert f"evaluate {FAILING}" in said.replace("'", "") or FAILING in said
    assert "not written tables and figures: " in said
    assert ("No space left on device" if error is full else "of the mirror's own") in said


@pytest.mark.slow
def test_a_failing_mirror_costs_no_cell(bench, evaluate, monkeypatch):
    for name in ("video", "figures", "finish", "summary"):
        monkeypatch.setattr(NullMirror, name, broken, raising=False)
    monkeypatch.setattr(NullMirror, "strips", 1)
    code, said = evaluate("-m", "sweep.name=mirror", "hydra/launcher=basic")
    (cell,) = bench.cells("mirror").values()
    assert RunFolder(cell).status() == "done"
    assert code == 1
    assert "not written the logger's summary: ZeroDivisionError: of the mirror's own" in " ".join(said.split())


@pytest.mark.usefixtures("failing")
def test_a_full_disk_where_the_output_goes(evaluate, monkeypatch):
    from experiments.run import outcome

    monkeypatch.setattr(outcome.console, "print", full)
    code, said = evaluate("-m", "sweep.name=console", "hydra/launcher=basic", FAILING)
    assert code == 1
    assert "failed strided-none-f8-none-" in said
    assert FAILING in said


def test_a_crash_that_cannot_be_recorded(tmp_path, monkeypatch):
    """The disk is full: the worker's fate is in the last words nevertheless, and the sweep goes on."""
    from experiments.run.outcome import Outcome
    from experiments.sweep import launcher
    from experiments.sweep.plan import Planned

    found = Outcome()
    monkeypatch.setattr(launcher, "outcome", found)
    monkeypatch.setattr(RunFolder, "crash", full)
    cell = Planned(
        tmp_path / "cell", {"logger": {"_target_": "no.such.logger"}, "sweep": {"name": "s"}}, {}, ["x=1"], {}
    )
    handle = launcher._Handle(type("Screen", (), {"event": lambda *_: None})())
    handle(0, cell, {"event": "crash", "cell": "cell", "fate": "the interpreter crashed", "trace": ""})
    assert found.failed == {"cell": ("the interpreter crashed", ["x=1"])}


def test_a_disk_that_is_full_from_the_beginning(evaluate, monkeypatch):
    from experiments.sweep import plan

    monkeypatch.setattr(plan, "write_json", full)
    code, said = evaluate("-m", "sweep.name=no_room", "frames=8,16")
    assert code == 1
    assert "stopped runs/x/table.md: No space left on device" in " ".join(said.split())
    assert "the same command goes on" in " ".join(said.split())
