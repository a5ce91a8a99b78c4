"""Two runs of one cell, or of one sweep, at once: each question is answered once, and who comes second is told."""

import json
import subprocess
import sys
import time

import pytest

from ..cli import read

HOLD = "import sys, pathlib, intpv.record.lock as l\nwith l.lock(pathlib.Path(sys.argv[1])): print(); sys.stdin.read()"
SWEEP = ("-m", "frames=8,16", "kv_quant=none,int2", "logger=none")


@pytest.fixture
def held():
    """Hold a cell's folder from another process until the returned function is called."""
    processes = []

    def hold(folder):
        command = [sys.executable, "-c", HOLD, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        processes.append(process)
        return process

    yield hold
    for process in processes:
        process.communicate("")


@pytest.mark.slow
def test_a_cell_that_is_being_run_is_left_alone_and_goes_on_afterwards(bench, evaluate, held):
    assert evaluate("sweep.name=held", "frames=16")[0] == 0
    (cell,) = bench.cells("held").values()
    begun(cell)
    before = {file.name: file.read_bytes() for file in cell.iterdir() if file.suffix in (".json", ".jsonl")}
    process = held(cell)
    code, said = evaluate("sweep.name=held", "frames=16")
    assert code == 1
    (line,) = (line for line in said.splitlines() if line.startswith("elsewhere "))
    assert line.startswith(f"elsewhere {cell.name} is being run by process {process.pid} on ")
    assert before == {file.name: file.read_bytes() for file in cell.iterdir() if file.suffix in (".json", ".jsonl")}
    process.communicate("")
    assert evaluate("sweep.name=held", "frames=16")[0] == 0
    assert read(cell, "status.json")["status"] == "done"


@pytest.mark.slow
def test_a_sweep_runs_what_nobody_else_is_at(bench, held):
    arguments = ("-m", "frames=8,16", "logger=none", "sweep.name=shared_out")
    bench.run(*arguments)
    cells = list(bench.cells("shared_out").values())
    for cell in cells:
        begun(cell)
    mine, theirs = cells
    process = held(theirs)
    said = bench.run(*arguments, code=1)
    assert f"elsewhere {theirs.name} is being run by process {process.pid} on " in said
    assert [read(cell, "status.json")["status"] for cell in (mine, theirs)] == ["done", "running"]
    said = bench.run(*arguments, code=2)  # nothing is left but what others do
    assert f"all 1 cells that are left are being run elsewhere, {theirs.name} by process {process.pid} on " in said
    process.communicate("")
    bench.run(*arguments)
    assert read(theirs, "status.json")["status"] == "done"


def begun(cell) -> None:
    """As a killed run leaves it."""
    (cell / "status.json").write_text(json.dumps({"status": "running", "time": "", "error": None}))
    (cell / "metrics.json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0, 0.5, 2, 6])  # seconds
@pytest.mark.parametrize("kind", ["cell", "sweep"])
def test_two_at_once_answer_every_question_once(bench, kind, lag):
    arguments = ("frames=16", "logger=none") if kind == "cell" else SWEEP
    arguments = (*arguments, "data.limit=12", f"sweep.name=twice_{kind}_{lag}", "hydra.launcher.workers=1")
    first = bench.start(*arguments)
    time.sleep(lag)
    second = bench.start(*arguments)
    said = [process.communicate(timeout=300) for process in (first, second)]
    cells = bench.cells(f"twice_{kind}_{lag}")
    assert len(cells) == (1 if kind == "cell" else 4)
    for cell in cells.values():
        ids = [json.loads(line)["id"] for line in (cell / "samples.jsonl").open()]
        assert len(ids) == len(set(ids)) == 120
        assert read(cell, "status.json")["status"] == "done"
    for process, (out, err) in zip((first, second), said, strict=True):
        refused = "being run" in out + err
        assert process.returncode == (0 if not refused else 1) or (refused and process.returncode == 2)
        assert "Traceback" not in out + err
    assert 0 in (first.returncode, second.returncode)
