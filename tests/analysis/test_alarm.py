"""The alarm: scipy's U statistic is its AUROC, a signal that tells is told from one that does not, on drawn cells."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from analysis import alarm
from analysis.alarm import assess, predict_held_out
from analysis.runs import read_sweep
from analysis.units import MISSING

STRATEGIES = ("linear", "ntk", "visual_only", "yarn")
KEYS = alarm.MEASURED["baseline"]


@pytest.fixture
def drawn():
    """Losses of 8 strategies of 6 cells, a signal that tells of them and one that does not."""
    rng = np.random.default_rng(0)
    groups = [f"s{n // 6}" for n in range(48)]
    loss = rng.uniform(-0.02, 0.3, 48)
    return np.stack([loss + rng.normal(0, 0.02, 48), rng.uniform(0, 1, 48)], 1), loss, groups


def test_auroc_is_scipys_and_r2_is_by_its_definition(drawn):
    signals, loss, groups = drawn
    predicted, means = predict_held_out(signals, loss, groups)
    found = assess(predicted, means, loss, groups)
    rings = loss > 0.05
    u = mannwhitneyu((predicted - means)[rings], (predicted - means)[~rings]).statistic
    assert found.auroc == pytest.approx(u / (rings.sum() * (~rings).sum()))
    assert found.r2 == pytest.approx(1 - ((loss - predicted) ** 2).mean() / ((loss - means) ** 2).mean())


def test_what_is_held_out_is_not_fitted_on(drawn):
    signals, loss, groups = drawn
    other = np.where([one == "s3" for one in groups], 1.0, loss)
    both = (predict_held_out(signals, some, groups) for some in (loss, other))
    for before, after in zip(*both, strict=True):
        same = before == after
        assert same.tolist() == [one == "s3" for one in groups]


def test_a_signal_that_tells_is_better_and_one_that_does_not_is_not(drawn):
    signals, loss, groups = drawn
    telling, idle = (assess(*predict_held_out(signals[:, [n]], loss, groups), loss, groups) for n in (0, 1))
    assert telling.verdict() == "better"
    assert telling.r2 > 0.8
    assert telling.auroc_ends[0] > 0.5
    assert idle.verdict() != "better"
    assert idle.auroc_ends[0] < 0.5


def test_a_signal_may_only_raise_the_alarm(drawn):
    signals, loss, groups = drawn
    predicted, means = predict_held_out(-signals[:, :1], loss, groups)
    assert predicted == pytest.approx(means)
    assert assess(predicted, means, loss, groups).auroc == 0.5


def test_where_nothing_is_lost_there_is_no_auroc(drawn):
    signals, loss, groups = drawn
    found = assess(*predict_held_out(signals, loss / 100, groups), loss / 100, groups)
    assert (found.auroc, found.auroc_ends) == (None, None)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers):
    """Strategies lose with frames; answer KL follows the loss, attention KL is drawn."""
    folder, rng = tmp_path_factory.mktemp("sweeps") / "drawn", np.random.default_rng(1)
    for seed in (0, 1):
        write_cell(folder, "none", 8, lines=answers(1.0, 20, seed), seeds=(0, 0, seed))
        for place, rope in enumerate(STRATEGIES):
            for frames in (16, 32, 64):
                lines = answers(1.0, 20, seed)
                for line in lines[: (place * frames) // 4]:
                    line |= {"prediction": "maybe", "correct": False, "valid": False}
                cell = write_cell(folder, rope, frames, lines=lines, seeds=(0, 0, seed))
                file = cell / "metrics.json"
                lost = max(0.9 - json.loads(file.read_text())["accuracy"], 0) + rng.uniform(0, 0.02)
                seen = {KEYS["answer KL"]: 2 * lost**2, KEYS["attention KL"]: rng.uniform(0, 1)}
                file.write_text(json.dumps(json.loads(file.read_text()) | seen))
    return folder


@pytest.mark.slow
def test_of_run_folders(sweep, run_verb):
    code, said, _ = run_verb(alarm.main, sweep)
    assert (code, said) == (0, f"{sweep / 'alarm.md'}\n")
    text = (sweep / "alarm.md").read_text(encoding="utf-8")
    assert "- command: " in text
    assert "Loss against full precision" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    words = {(row[0], row[1]): row[-1] for row in rows}
    assert {what for what, _ in words} == {"strategy", "model"}
    for what in ("strategy", "model"):
        assert words[what, "answer KL"] == "better"
        assert words[what, "attention KL"] != "better"
        assert words[what, alarm.TRIVIAL] == MISSING


@pytest.mark.slow
def test_another_recipe_is_another_model(sweep):
    cells = read_sweep(sweep)
    models = [
        {one.model for one in alarm.observe(of, "baseline")}
        for of in (cells, [replace(cell, recipe="mini_long") for cell in cells])
    ]
    assert not models[0] & models[1]


def test_too_few_cells_are_refused(tmp_path, write_cell, answers, run_verb):
    write_cell(tmp_path / "few", "none", 8, lines=answers())
    assert run_verb(alarm.main, tmp_path / "few") == (
        2,
        "",
        "an alarm needs 8 finished cells beyond a reference, got 1 cells\n",
    )
