"""The status verb: what the run folders tell of a sweep, whoever runs it, without torch and in no time."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from experiments import status
from experiments.status import CellStatus, read_cells, seconds_left
from intpv.record.run_folder import RunFolder

from ..record.test_lock import hold
from .cli import ROOT


def begin(folder, frames=8, since=None):
    """A cell as the launcher leaves one that waits; with `since` as one that a process has begun."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(f"seed: 0\nframes: {frames}\nvideo:\n  frames: 3\n")
    if since is not None:
        RunFolder(folder).open({})
        (folder / ".lock").write_text(f"process 7 on node3 since {since.isoformat(timespec='seconds')}")
    return folder


def end(folder, **more):
    RunFolder(folder).finish({"accuracy": 1.0})
    content = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(content | more))


@pytest.fixture
def sweep(tmp_path):
    """A cell of each kind; the done one of 8 frames took 20 seconds."""
    now = datetime.now(UTC)
    folder = tmp_path / "sweep"
    end(begin(folder / "done", since=now - timedelta(seconds=20)), questions=12, time=now.isoformat(timespec="seconds"))
    begin(folder / "waiting", frames=16)
    begin(folder / "interrupted", since=now)
    RunFolder(begin(folder / "failed")).fail(ValueError("no such thing\nand more"))
    RunFolder(begin(folder / "oom")).fail(MemoryError("x"))
    (begin(folder / "damaged") / "status.json").write_text("")
    (folder / "table").mkdir()  # no cell
    return folder


def test_every_kind_is_told_by_its_folder(sweep):
    found = {cell.name: cell for cell in read_cells(sweep)}
    assert {name: cell.kind for name, cell in found.items()} == {name: name for name in found}
    assert set(found) == {"done", "waiting", "interrupted", "failed", "oom", "damaged"}
    assert found["done"].seconds == pytest.approx(20, abs=1)
    assert found["failed"].reason == "ValueError: no such thing"
    assert found["waiting"].frames == 16
    assert "is empty" in found["damaged"].reason


def test_a_cell_that_a_process_holds_is_running_there_whatever_it_was_before(sweep):
    for name in ("interrupted", "failed", "waiting"):
        with hold(sweep / name) as process:
            (cell,) = (cell for cell in read_cells(sweep) if cell.kind == "running")
            assert cell.name == name
            assert f"process {process.pid} on " in cell.where
            process.stdin.close()
    assert not any(cell.kind == "running" for cell in read_cells(sweep))


def cells(*kinds: str, frames: int = 8, seconds: float | None = None) -> list[CellStatus]:
    return [CellStatus("x", kind, frames, seconds=seconds) for kind in kinds]


def test_the_time_left_is_the_work_left_over_the_cells_at_once():
    done = cells("done", seconds=10) + cells("done", seconds=20)  # a mean of 15
    running = cells("running", seconds=5)
    assert seconds_left(done + running) == pytest.approx(10)
    assert seconds_left(done + running + cells("waiting", "interrupted")) == pytest.approx(40)
    assert seconds_left(done + 2 * running + cells("waiting", "waiting")) == pytest.approx(25)
    assert seconds_left(done + running + cells("waiting", frames=16)) == pytest.approx(40)  # twice the frames
    assert seconds_left(done + cells("running", seconds=99)) == 0  # longer than was thought
    assert seconds_left(done + running + cells("failed", "oom")) == pytest.approx(10)  # left alone


def test_nothing_is_foretold_where_nothing_is_known():
    assert seconds_left(cells("running", "waiting")) is None
    assert seconds_left(cells("done", seconds=10) + cells("waiting")) is None  # nobody is at it


def test_the_verb_says_it_in_lines_and_as_json(sweep, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["status", str(sweep)])
    status.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 of 6 cells done, 1 waiting, 1 interrupted, 1 failed, 1 oom, 1 damaged")
    assert "failed      failed: ValueError: no such thing" in lines
    assert "interrupted interrupted: 0 of 12 questions" in lines
    monkeypatch.setattr(sys, "argv", ["status", str(sweep), "--json"])
    status.main()
    told = json.loads(capsys.readouterr().out)
    assert (told["cells"], told["done"], told["waiting"], told["seconds_left"]) == (6, 1, 1, None)
    assert [cell["name"] for cell in told["listed"]] == ["damaged", "failed", "interrupted", "oom"]


@pytest.mark.parametrize(("folder", "said"), [("none", "none is no folder"), ("empty", "empty holds no cells")])
def test_what_is_no_sweep_is_refused_in_a_line(tmp_path, monkeypatch, capsys, folder, said):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(sys, "argv", ["status", str(tmp_path / folder)])
    with pytest.raises(SystemExit) as ended:
        status.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith("status: ")
    assert said in line


def test_long_lists_are_cut_unless_all_is_asked_for(tmp_path, monkeypatch, capsys):
    for number in range(status.SHOWN + 3):
        RunFolder(tmp_path / str(number)).fail(ValueError("x"))
    monkeypatch.setattr(sys, "argv", ["status", str(tmp_path)])
    status.main()
    assert "and 3 more: --all lists them" in capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(sys, "argv", ["status", str(tmp_path), "--all"])
    status.main()
    assert len(capsys.readouterr().out.splitlines()) == 1 + status.SHOWN + 3


def test_two_thousand_cells_need_no_torch_and_next_to_no_time(tmp_path):
    first = begin(tmp_path / "0", since=datetime.now(UTC))
    end(first)
    for number in range(1, 2000):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / ".hydra").symlink_to(first / ".hydra")
        for name in ("status.json", ".lock"):
            os.link(first / name, tmp_path / str(number) / name)
    start = time.process_time()
    assert len(read_cells(tmp_path)) == 2000
    assert time.process_time() - start < 2000 * 0.002
    code = (
        "import sys; sys.argv = ['status', sys.argv[1]]; from experiments.status import main; main();"
        "print('torch' in sys.modules, 'lightning' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.splitlines()[0].endswith("2000 of 2000 cells done")
    assert done.stdout.splitlines()[-1] == "False False", done.stderr
