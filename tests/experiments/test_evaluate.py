"""The evaluate verb as a user meets it: its real command line, its folders, its exit code."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from experiments import score
from experiments.run.cell import unread_questions
from intpv.flipbook.vocabulary import tokenizer

from .cli import read


@pytest.mark.slow
def test_a_multirun_leaves_cells_a_table_and_figures_and_is_not_repeated(bench):
    arguments = ("-m", "sweep.name=grid", "frames=8,16", "kv_quant=none,int2", "rope_strategy=visual_only")
    said = bench.run(*arguments)
    cells = bench.cells("grid")
    assert len(cells) == 4
    ids = {tuple(json.loads(line)["id"] for line in (c / "samples.jsonl").open()) for c in cells.values()}
    assert len(ids) == 1  # the same questions everywhere: all comparisons are paired
    assert len(next(iter(ids))) == 20
    for name, cell in cells.items():
        metrics = read(cell, "metrics.json")
        assert read(cell, "status.json")["status"] == "done"
        assert metrics["rope/factor"] == metrics["frames"] / 8 == metrics["groups"]
        assert metrics["coverage"] == 1
        assert metrics["kv/quantised_fraction"] == (0 if "-none-" in name else pytest.approx(1, abs=0.1))
        assert metrics["kv/bytes"] < metrics["kv/full_precision_bytes"] or "-none-" in name
    sweep = bench.folder / "runs/grid"
    assert all((sweep / name).stat().st_size for name in ("table.md", "table.csv", "accuracy.png"))
    assert all(name.rsplit("-", 1)[0] in said or "visual_only" in said for name in cells)
    before = {cell: (cell / "samples.jsonl").stat().st_mtime_ns for cell in cells.values()}
    bench.run(*arguments)
    assert before == {cell: (cell / "samples.jsonl").stat().st_mtime_ns for cell in cells.values()}


@pytest.mark.slow
def test_a_video_that_cannot_be_decoded_fails_its_questions_alone(bench):
    bench.run("sweep.name=whole")
    clip = min((bench.folder / "clips").rglob("*.mp4"))
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    try:
        said = bench.run("sweep.name=damaged", code=1)
    finally:
        clip.write_bytes(content)
    assert "Traceback" not in said
    (cell,) = bench.cells("damaged").values()
    assert read(cell, "metrics.json")["coverage"] == 0.5
    failed = [r for r in map(json.loads, (cell / "samples.jsonl").open()) if r["error"]]
    assert len(failed) == 10
    assert all(clip.name in r["error"] and not r["correct"] and r["prediction"] is None for r in failed)
    assert "incomplete" in said


def test_a_run_says_what_the_checkpoint_asks_for_and_does_not_get(bench, evaluate, tmp_path):
    shutil.copytree(bench.folder / "languagebind", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"repetition_penalty": 1.1}))
    code, _ = evaluate("sweep.name=asking", f"model.path={tmp_path}", "data.limit=1")
    (cell,) = bench.cells("asking").values()
    assert code == 0
    assert read(cell, "environment.json")["generation_not_followed"] == "repetition_penalty=1.1"
    assert "asks for repetition_penalty=1.1: not followed, answers are greedy" in (cell / "evaluate.log").read_text()


@pytest.mark.slow
def test_a_frame_by_frame_encoder_says_that_rearranging_does_nothing(bench, evaluate):
    code, _ = evaluate("sweep.name=noop", encoder="per_frame")
    (cell,) = bench.cells("noop").values()
    assert code == 0
    assert read(cell, "metrics.json")["rearrangement_is_noop"] == 1
    assert "rearranger=strided changes nothing" in (cell / "evaluate.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["kv_quant=int8", "kv_quant.sinks=500"], "int8 would quantise 0 of 45 prefix tokens"),
        (["kv_quant=int8", "kv_quant.decode=triton"], "decode=triton cannot be run: it needs a CUDA device, got cpu"),
    ],
)
def test_what_only_a_loaded_model_can_refuse_is_one_line(evaluate, arguments, line):
    code, said = evaluate("sweep.name=bad", *arguments)
    assert code == 1
    assert line in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.slow
def test_two_runs_of_one_cell_are_byte_identical_with_and_without_a_cache(bench, evaluate):
    arguments = ("frames=16", "rope_strategy=yarn", "kv_quant=int2", "rearranger=random", "seed=3")
    for sweep, cache in (("first", ()), ("second", ()), ("third", ("cache=off",))):
        assert evaluate(f"sweep.name={sweep}", *arguments, *cache)[0] == 0
    first, second, third = (next(iter(bench.cells(name).values())) for name in ("first", "second", "third"))
    assert first.name == second.name == third.name
    content = (first / "samples.jsonl").read_bytes()
    assert content == (second / "samples.jsonl").read_bytes() == (third / "samples.jsonl").read_bytes()
    assert read(second, "metrics.json")["cache/fetched"] == 1
    assert read(third, "metrics.json")["cache/fetched"] == 0


def test_saved_predictions_are_scored_anew_without_a_model(bench, evaluate, monkeypatch, capsys):
    evaluate("sweep.name=saved")
    (cell,) = bench.cells("saved").values()
    records = [json.loads(line) for line in (cell / "samples.jsonl").open()]
    records[0]["prediction"] = f"I say {records[0]['answer']}!"
    (cell / "samples.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.setattr(sys, "argv", ["score", str(cell.parent), "scorer=contains"])
    score.main()
    (anew,) = bench.cells("saved@contains").values()
    assert json.loads((anew / "samples.jsonl").open().readline())["correct"]
    assert read(anew, "metrics.json").keys() == read(cell, "metrics.json").keys()
    assert read(anew, "metrics.json")["kv/bytes"] == read(cell, "metrics.json")["kv/bytes"]


@pytest.mark.slow
def test_nameless_runs_keep_to_folders_of_their_own_and_go_on_there(bench):
    sweep = ("-m", "frames=8,16", "seed=1,2", "rearranger=random", "logger=none")
    said = bench.run(*sweep)
    folder = bench.folder / said.partition(":")[0]
    assert folder.parent == bench.folder / "runs"
    table = (folder / "table.md").read_text()
    written = {file: file.stat().st_mtime_ns for file in folder.glob("*/samples.jsonl")}
    assert len(written) == 4
    assert sum(line.startswith("| none | random |") for line in table.partition("## Paired")[0].splitlines()) == 2
    assert table.count("mean of seed=1,2: ") == 2
    bench.run("frames=8", "seed=1", "rearranger=random", "measure=full", "logger=none")
    bench.run("-m", "frames=8", "data.seed=1", "seed=1,2", "rearranger=random", "logger=none")
    assert len(bench.cells("single")) == 1
    bench.run(*sweep, "sweep.retry=all")
    assert {file: file.stat().st_mtime_ns for file in folder.glob("*/samples.jsonl")} == written
    assert (folder / "table.md").read_text() == table


@pytest.mark.parametrize("job", [{"SLURM_NTASKS": "8"}, {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4"}])
def test_a_cell_is_one_process_whatever_a_scheduler_says_of_its_job(evaluate, monkeypatch, job):
    for name, value in {**job, "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}.items():
        monkeypatch.setenv(name, value)
    code, said = evaluate("frames=8", "seed=7", f"sweep.name=slurm-{len(job)}")
    assert code == 0, said


def test_questions_with_words_that_the_model_does_not_know_are_told_of():
    asked = ["did red flash ?", "did a zebra flash ?"]
    assert unread_questions(tokenizer(), asked) == asked[1:]
    assert unread_questions(SimpleNamespace(unk_token_id=None), asked) == []
