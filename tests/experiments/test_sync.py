"""The sync verb against a server of W&B's protocol on this machine: what it got is what the run folders hold."""

import json
import sys

import pytest

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


@pytest.mark.parametrize(("name", "said"), [("none", "is no folder"), ("empty", "no cells"), ("begun", "has ended")])
def test_a_folder_that_is_no_sweep_is_refused(tmp_path, write_cell, run, name, said):  # noqa: F811
    (tmp_path / "empty").mkdir()
    RunFolder(write_cell(tmp_path / "begun")).open({})
    code, text = run(tmp_path / name, *TO)
    assert code == 2
    assert said in text
    assert len(text.splitlines()) == 1
