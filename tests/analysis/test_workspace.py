"""A sweep as W&B's workspace and report: what is shown follows from the cells, the JSON is what the package makes."""

import base64
import json
import sys

import pytest

from analysis import workspace
from analysis.pairs import baseline
from analysis.runs import read_sweep
from analysis.style import STRATEGIES
from analysis.workspace import topics
from intpv.logger.wandb import run_id


@pytest.fixture
def run(monkeypatch, capsys):
    """The command line -> (exit code, what it said)."""

    def call(*arguments: str) -> tuple[int, str]:
        for name in ("WANDB_ENTITY", "WANDB_PROJECT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(sys, "argv", ["workspace", *map(str, arguments)])
        code = workspace.main()
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


@pytest.fixture
def spec(run, sweep):
    """The JSON of a dry run. It is made by private API of the package, which is what these tests watch."""
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces is not installed: pip install wandb-workspaces")

    def make(*arguments: str) -> dict:
        code, said = run(sweep, "--entity", "me", "--project", "videos", "--dry-run", *arguments)
        assert code == 0, said
        file, nothing = said.strip().split(": ")
        assert nothing == "nothing was sent"
        return json.loads(open(file, encoding="utf-8").read())

    return make


def panels(spec: dict) -> list[dict]:
    return [panel for section in spec["section"]["panelBankConfig"]["sections"] for panel in section["panels"]]


def test_a_panel_shows_what_some_cell_has_and_no_other(sweep):
    cells = read_sweep(sweep)
    known = {name for cell in cells for name in cell.metrics}
    found = topics(cells)
    assert [one.name for one in found] == ["Frames", "Options", "KV cache", "Memory and time", "Failures"]
    assert {plot.y for one in found for plot in one.plots} <= known  # none of attention KL, which was not measured
    (frames,) = (one for one in found if one.name == "Frames")
    assert {plot.y for plot in frames.plots} == {
        f"{regime}/{name}" for regime in ("slow", "fast") for name in ("accuracy", "skill", "ceiling")
    }
    (options,) = (one for one in found if one.name == "Options")
    assert {plot.x for plot in options.plots} == {"rope_strategy", "kv_quant"}  # all cells have one rearranger


def test_cells_that_failed_are_named_with_the_reason(sweep):
    (failures,) = (one for one in topics(read_sweep(sweep)) if one.name == "Failures")
    assert "`strided-yarn-f32-int2`: oom: MemoryError: 40 GB asked" in failures.note


def test_every_run_has_its_strategys_colour_and_the_baseline_is_the_tables(spec, sweep):
    colors = spec()["section"]["customRunColors"]
    cells = read_sweep(sweep)
    expected = {run_id("made_up", cell.folder.name): STRATEGIES[cell.rope_strategy].color for cell in cells}
    assert colors == expected
    (runs,) = spec()["section"]["runSets"]
    given = base64.b64decode(runs["baselineRunId"]).decode()
    assert given == f"Run:v1:{run_id('made_up', baseline(cells).folder.name)}:videos:me"


def test_the_sections_and_panels_are_those_of_the_topics(spec, sweep):
    found, sections = topics(read_sweep(sweep)), spec()["section"]["panelBankConfig"]["sections"]
    assert [section["name"] for section in sections] == [one.name for one in found]
    points = [panel["config"] for panel in panels(spec()) if panel["viewType"] == "Scatter Plot"]
    plots = [plot for one in found for plot in one.plots if plot.kind == "scatter"]
    assert [(p["xAxis"], p["yAxis"]) for p in points] == [(f"summary:{p.x}", f"summary:{p.y}") for p in plots]
    bars = [panel["config"] for panel in panels(spec()) if panel["viewType"] == "Bar Chart"]
    assert {bar["groupBy"] for bar in bars} == {"choices.value.rope_strategy", "choices.value.kv_quant"}


def test_runs_are_those_of_the_sweep_filtered_and_grouped_as_asked(spec):
    made = spec("--only", "kv_quant=none", "--group-by", "rope_strategy")
    (runs,) = made["section"]["runSets"]
    filters = [(one["key"]["name"], one["op"], one["value"]) for one in runs["filters"]["filters"]]
    assert filters == [("group", "=", "made_up"), ("choices.value.kv_quant", "IN", ["none"])]
    assert [one["name"] for one in runs["grouping"]] == ["choices.value.rope_strategy"]
    assert [name for name in runs["runFeed"]["columnPinned"] if name.startswith("summary:")][:2] == [
        "summary:frames",
        "summary:accuracy",
    ]
    assert set(made["section"]["customRunColors"].values()) == {STRATEGIES[name].color for name in ("none", "yarn")}


def test_a_report_has_a_heading_per_question(spec, sweep):
    blocks = spec("--report")["blocks"]
    headings = [block["children"][0]["text"] for block in blocks if block["type"] == "heading"]
    assert headings == [one.question for one in topics(read_sweep(sweep))]
    grids = [block for block in blocks if block["type"] == "panel-grid"]
    assert len(grids) == len([one for one in topics(read_sweep(sweep)) if one.plots])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--entity is missing: the account or team"),
        (("--entity", "me", "--only", "kv_quant=int3"), "no cell has kv_quant=int3 (there are int2, none)"),
        (("--entity", "me", "--only", "kv_quant"), "no cell has kv_quant="),
        (("--entity", "me", "--only", "frames=8"), "there is no group frames to see runs by (there are rearranger"),
        (("--entity", "me", "--group-by", "seed"), "there is no group seed"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(run, sweep, arguments, said):
    code, text = run(sweep, *arguments, "--dry-run")
    assert code == 2
    assert said in text
    assert len(text.splitlines()) == 1
    assert not [*sweep.glob("wandb_*.json")]


def test_a_folder_without_cells_and_a_missing_package_are_told_in_a_line(run, sweep, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "--entity", "me") == (
        2,
        f"no cells in {tmp_path / 'empty'}: a cell is a folder with .hydra/config.yaml in it\n",
    )
    monkeypatch.setattr(workspace, "find_spec", lambda name: None)
    code, text = run(sweep, "--entity", "me", "--dry-run")
    assert (code, text.count("\n")) == (2, 1)
    assert text.endswith("pip install wandb-workspaces\n")
