"""The sync verb against a server of W&B's protocol on this machine: what it got is what the run folders hold."""

import json
import random
import shlex
import sys

import pytest
import wandb

from analysis.figures import draw_cell
from experiments import sync
from intpv.logger.wandb import HASH, results_hash, run_id
from intpv.record.run_folder import RunFolder

from ..analysis.cell_folders import measured
from ..analysis.conftest import answers, write_cell  # noqa: F401  fixtures
from ..logger.wandb_server import ENTITY, PROJECT

TO = ("--entity", ENTITY, "--project", PROJECT)
ENDED = {"strided-none-f8-none", "strided-yarn-f32-none"}
FAILED, BEGUN = "strided-none-f32-none", "strided-yarn-f64-none"


@pytest.fixture
def run(monkeypatch, capsys):
    """The command line -> (exit code, what it said)."""
    monkeypatch.setattr(sync, "PAUSES", (0, 0.1))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sync", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            sync.main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return call


@pytest.fixture
def sweep(tmp_path, write_cell, answers):  # noqa: F811
    """Two cells that are done, one of them with figures, one that failed, one that was begun."""
    folder = tmp_path / "silent"
    for name in sorted(ENDED):
        _, rope, frames, kv = name.split("-")
        write_cell(folder, rope, int(frames[1:]), kv, answers(videos=6, seed=int(frames[1:])))
    write_cell(folder, "none", 32, lines=ValueError("no such thing"))
    RunFolder(write_cell(folder, "yarn", 64)).open({})
    measured(folder / "strided-yarn-f32-none", frames=32)
    return folder


def content(folder):
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}


def check(server, sweep):
    """Every run is its cell's folder."""
    runs = {one.fields["displayName"]: one for one in server.runs.values()}
    assert set(runs) == {*ENDED, FAILED, "silent summary"}
    for name in ENDED:
        one, cell = runs[name], sweep / name
        metrics = json.loads((cell / "metrics.json").read_text())
        assert one.id == run_id("silent", name)
        assert (one.state, one.fields["groupName"], one.fields["jobType"]) == ("finished", "silent", "cell")
        known = {key: pytest.approx(value) for key, value in metrics.items() if value is not None}
        assert one.metrics() == known | {HASH: results_hash(cell)}
        assert (one.config["frames"], one.config["choices"]["rearranger"]) == (metrics["frames"], "strided")
        assert f"rope_strategy={name.split('-')[1]}" in one.fields["tags"]
        files = server.files_of(f"results-{one.id}")
        assert files == {file: (cell / file).read_bytes() for file in ("samples.jsonl", "metrics.json")}
        table = json.loads(server.files_of(f"run-{one.id}-samples")["samples.table.json"])
        lines = [json.loads(line) for line in (cell / "samples.jsonl").open()][: len(table["data"])]
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        assert [(row["id"], row["prediction"]) for row in rows] == [(one["id"], one["prediction"]) for one in lines]
        assert len(rows) == 16  # of four videos
        assert all(sum(key in row for row in one.history) == 1 for key in metrics if metrics[key] is not None)
    assert (runs[FAILED].state, runs[FAILED].metrics()) == ("failed", {HASH: results_hash(sweep / FAILED)})
    assert runs["silent summary"].state == "finished"


@pytest.mark.slow
def test_what_arrives_is_what_the_folders_hold_and_arrives_once(server, sweep, run, tmp_path):
    before = content(sweep)
    code, said = run(sweep, *TO)
    assert (code, said.splitlines()) == (
        0,
        [f"{ENTITY}/{PROJECT}: 3 cells sent, 0 were there already", f"{BEGUN}: left out, interrupted"],
    )
    check(server, sweep)
    assert content(sweep) == before
    (drawn,) = (one for one in server.runs.values() if one.fields["displayName"] == "strided-yarn-f32-none")
    for figure in draw_cell(sweep / "strided-yarn-f32-none", into=tmp_path):
        picture = next(b for path, b in server.blobs.items() if drawn.id in path and f"figures/{figure.key}_" in path)
        assert picture == figure.path.read_bytes()
    again = run(sweep, *TO)
    assert again[0] == 0
    assert "0 cells sent, 3 were there already" in again[1]
    assert {one.attempts for one in server.runs.values()} == {1}


@pytest.mark.slow
def test_a_server_that_fails_at_random_gets_everything_in_the_end(server, sweep, run):
    draw = random.Random(1)
    kinds, weights = [None, 500, "broken", "time-out"], [80, 8, 8, 4]
    server.fails = lambda operation: draw.choices(kinds, weights)[0]
    codes = []
    while not codes or codes[-1]:
        codes.append(run(sweep, *TO)[0])
        assert len(codes) < 6
    check(server, sweep)
    assert all(server.failed[kind] for kind in kinds[1:]), server.failed


@pytest.mark.slow
def test_a_run_that_arrived_in_part_is_sent_anew_and_no_other(server, sweep, run, monkeypatch):
    """The server dies once the second cell's run is open."""
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1.5")
    monkeypatch.setattr(sync, "ATTEMPTS", 1)
    server.fails = lambda operation: 500 if server.asked["UpsertBucket"] > 2 else None
    code, said = run(sweep, *TO)
    (line,) = said.splitlines()
    assert code == 2
    assert line.endswith(": the same command goes on")
    half = [one for one in server.runs.values() if HASH not in one.summary]
    assert (len(server.runs), len(half)) == (2, 1)
    wandb.teardown()  # the process ends
    server.fails = lambda operation: None
    monkeypatch.delenv("WANDB_FINISH_TIMEOUT")
    assert "2 cells sent, 1 were there already" in run(sweep, *TO)[1]
    check(server, sweep)


@pytest.mark.parametrize(
    ("variables", "arguments", "said"),
    [
        ({"API_KEY": None}, TO, "W&B has no key here (`wandb login` or WANDB_API_KEY)"),
        ({"MODE": "offline"}, TO, "or WANDB_MODE=offline is set"),
        ({"API_KEY": "x" * 40}, TO, "W&B does not let this key in: "),
        pytest.param({"BASE_URL": "http://127.0.0.1:9"}, TO, "W&B does not let this key in: ", marks=pytest.mark.slow),
        ({}, (*TO, "--project", "none"), f"W&B has no project {ENTITY}/none that this key may see"),
        ({}, (*TO, "--entity", "ghost"), f"W&B has no project ghost/{PROJECT} that this key may see"),
    ],
)
def test_what_cannot_be_sent_is_told_in_a_line(server, sweep, run, monkeypatch, variables, arguments, said):
    for name, value in variables.items():
        monkeypatch.delenv(f"WANDB_{name}") if value is None else monkeypatch.setenv(f"WANDB_{name}", value)
    code, text = run(sweep, *arguments)
    (line,) = text.splitlines()
    assert code == 2
    assert line.startswith("sync: ")
    assert said in line
    assert not server.runs


def test_a_project_is_made_where_that_is_asked_for(server, tmp_path, write_cell, run):  # noqa: F811
    write_cell(tmp_path / "new", lines=ValueError("no such thing"))
    code, _ = run(tmp_path / "new", *TO, "--project", "new", "--create-project")
    assert (code, len(server.runs)) == (0, 2)
    assert (ENTITY, "new") in server.projects


@pytest.mark.parametrize(("name", "said"), [("none", "is no folder"), ("empty", "no cells"), ("begun", "has ended")])
def test_a_folder_that_is_no_sweep_is_refused(tmp_path, write_cell, run, name, said):  # noqa: F811
    (tmp_path / "empty").mkdir()
    RunFolder(write_cell(tmp_path / "begun")).open({})
    code, text = run(tmp_path / name, *TO)
    assert code == 2
    assert said in text
    assert len(text.splitlines()) == 1


@pytest.mark.slow
def test_a_cell_sent_afterwards_is_the_run_that_it_makes_live(bench, server, evaluate, run):
    live = ["logger=wandb", "logger.offline=false", f"logger.entity={ENTITY}", f"logger.project={PROJECT}"]
    assert evaluate(*live, "logger.tags=[mine]", "logger.notes=why", "sweep.name=live", "frames=16")[0] == 0
    (folder,), (first,) = bench.cells("live").values(), server.runs.values()
    before = content(folder)
    assert "0 cells sent, 1 were there already" in run(folder.parent)[1]
    del server.runs[first.id]
    assert "1 cells sent, 0 were there already" in run(folder.parent)[1]
    assert content(folder) == before
    second = server.runs[first.id]
    kept = ("groupName", "displayName", "jobType", "tags", "notes", "project", "entity")
    assert [second.fields.get(key) for key in kept] == [first.fields.get(key) for key in kept]
    configs = [{key: value for key, value in one.config.items() if key != "_wandb"} for one in (first, second)]
    assert configs[0] == configs[1]
    command = first.config["environment"]["command"]
    assert command.startswith("python -m experiments.evaluate ")
    assert {"frames=16", "sweep.name=live"} <= set(shlex.split(command))
    assert "mine" in second.fields["tags"]
    assert (second.state, second.metrics()) == (first.state, first.metrics())
    assert second.summary.keys() == first.summary.keys()
