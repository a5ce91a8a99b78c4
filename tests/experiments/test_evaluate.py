"""The evaluate verb as a user meets it: its real command line, its folders, its exit code."""

import json
import sys

import pytest

from experiments import score

from .bench import read


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


def test_a_frame_by_frame_encoder_says_that_rearranging_does_nothing(bench, evaluate):
    code, _ = evaluate("sweep.name=noop", encoder="per_frame")
    (cell,) = bench.cells("noop").values()
    assert code == 0
    assert read(cell, "metrics.json")["rearrangement_is_noop"] == 1
    assert "rearranger=strided changes nothing" in (cell / "evaluate.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trainer.devices=2"], "trainer.devices must be 1, got 2: hydra.launcher.workers spreads cells over devices"),
        (["trainer.threads=99"], "trainer.threads must be auto or 1 to"),
        (["video.timeout_s=0"], "video.timeout_s must be a number of seconds over 0, got 0"),
        (["cache.max_gb=-1"], "cache.max_gb must be at least 0, got -1"),
        (["frames=12"], "frames must be a multiple of 8, the tower's group length, got 12: use 8 or 16"),
        (["rope_strategy.factor=0.5"], "rope_strategy.factor must be at least 1 or auto, got 0.5"),
        (["kv_quant=int8", "kv_quant.sinks=500"], "int8 would quantise 0 of 45 prefix tokens"),
        (["kv_quant=int8", "kv_quant.decode=triton"], "decode=triton cannot be run: it needs a CUDA device, got cpu"),
        (["model.path=nowhere"], "model.path=nowhere is no intpv checkpoint: config.json is missing"),
    ],
)
def test_bad_input_is_one_line(evaluate, arguments, line):
    code, said = evaluate("sweep.name=bad", *arguments)
    assert code == 1
    assert line in " ".join(said.split())
    assert "Traceback" not in said


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
    monkeypatch.setattr(sys, "argv", ["score", str(cell.parent), "--scorer", "contains"])
    score.main()
    (anew,) = bench.cells("saved@contains").values()
    assert json.loads((anew / "samples.jsonl").open().readline())["correct"]
    assert read(anew, "metrics.json").keys() == read(cell, "metrics.json").keys()
    assert read(anew, "metrics.json")["kv/bytes"] == read(cell, "metrics.json")["kv/bytes"]
