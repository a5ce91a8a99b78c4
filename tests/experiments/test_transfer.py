"""The transfer verb: what it predicts is what the sweeps say, nobody can change it unseen, and a score is scipy's."""

import json
import math
import re
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from experiments import transfer
from experiments.transfer import spearman_interval

from ..analysis.conftest import answers, write_cell  # noqa: F401  fixtures

SETTINGS = [("none", 8), *product(("none", "yarn", "visual_only"), (32, 64))]


def write_sweep(folder, write, draw, shares, model):
    """Of each setting so many of 80 questions right; the baseline again, and a quantised cell."""
    for (rope, frames, kv), right in zip(
        [*((*setting, "none") for setting in SETTINGS), ("yarn", 8, "none"), ("yarn", 32, "int2")],
        [*shares, 80, 80],
        strict=True,
    ):
        lines = draw(1.0, 20)
        for place, line in enumerate(lines):
            line["correct"] = place < right
        hydra = write(folder, rope, frames, kv, lines) / ".hydra" / "hydra.yaml"
        hydra.write_text(hydra.read_text().replace("mini", model))
    return folder


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory, write_cell, answers):  # noqa: F811
    folder = tmp_path_factory.mktemp("sweeps")
    shares = {"mini": [60, 40, 20, 58, 50, 70, 66], "smol": [50, 36, 22, 70, 60, 52, 40], "big": range(40, 75, 5)}
    models = {"mini": "mini", "smol": "smollm2", "big": "video_llava_7b"}
    return {name: write_sweep(folder / name, write_cell, answers, own, models[name]) for name, own in shares.items()}


@pytest.fixture
def said(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["transfer", *map(str, arguments)])
        try:
            transfer.main()
        except SystemExit as ended:
            return ended.code, capsys.readouterr().err
        return 0, capsys.readouterr().out

    return run


@pytest.fixture
def prediction(sweeps, said, tmp_path):
    file = tmp_path / "prediction.json"
    code, text = said(sweeps["mini"], sweeps["smol"], "--out", file)
    assert code == 0
    assert json.loads(file.read_text())["sha256"] in text
    return file


@pytest.mark.slow
def test_predicts_the_mean_place(prediction):
    content = json.loads(prediction.read_text())
    rows = content["settings"]
    assert [(row["rope_strategy"], row["frames"]) for row in rows[:2]] == [("visual_only", 32), ("yarn", 32)]
    assert len(rows) == len(SETTINGS)  # the baseline once, no quantised cell
    places = [rankdata([-row["accuracies"][model] for row in rows]) for model in (0, 1)]
    assert [row["mean_place"] for row in rows] == np.mean(places, 0).tolist()
    assert [strategy for strategy, _ in content["strategies"]][-1] == "none"
    assert {frames for frames, _ in content["frame_counts"]} == {8, 32, 64}
    assert re.match(r"\d{4}-\d\d-\d\dT", content["made"])


def test_scores_by_spearmans(prediction, sweeps, said):
    code, text = said("--score", prediction, sweeps["big"])
    assert code == 0
    rows = json.loads(prediction.read_text())["settings"]
    found = dict(zip(SETTINGS, range(40, 75, 5), strict=True))
    judge = -spearmanr(
        [row["mean_place"] for row in rows], [found[row["rope_strategy"], row["frames"]] for row in rows]
    )[0]
    rho, low, high = map(float, re.search(r"settings +Spearman ([-.\d]+) \[([-.\d]+), ([-.\d]+)\]", text).groups())
    assert rho == pytest.approx(judge, abs=0.005)
    assert low < rho < high
    assert re.search(r"strategies +Spearman [-.\d]+, of 3: too few", text)
    assert "predicted first: visual_only strided 32, place 2 of 7, -6.2 points from the best" in text


def test_what_was_changed_since_is_refused(prediction, sweeps, said):
    content = json.loads(prediction.read_text())
    prediction.write_text(json.dumps(content))  # other spaces
    assert said("--score", prediction, sweeps["big"])[0] == 0
    content["settings"][0]["mean_place"] += 1
    prediction.write_text(json.dumps(content))
    code, text = said("--score", prediction, sweeps["big"])
    assert code == 2
    assert re.fullmatch(
        r"transfer: .*prediction.json states sha256 \w{64} and its content has \w{64}: it .*since\n", text
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["{mini}", "--out", "{file}"], "{file} is there already: a prediction is written once"),
        (["--score", "{file}", "{mini}"], "{mini} ran mini, which the prediction was made from"),
        (["--score", "{file}", "{big}", "{mini}"], "--score takes one sweep, that of the larger model, got 2"),
        (["--score", "{mini}/multirun.yaml", "{big}"], "{mini}/multirun.yaml: No such file or directory"),
        (["{mini}/none", "--out", "{file}2"], "no cells in {mini}/none"),
    ],
)
def test_bad_input_is_one_line(prediction, sweeps, said, arguments, why):
    names = {"file": prediction, **sweeps}
    code, text = said(*(one.format(**names) for one in arguments))
    assert code == 2
    assert text.startswith(f"transfer: {why.format(**names)}")
    assert text.count("\n") == 1


def test_half_of_a_second_seed_is_refused(tmp_path, write_cell, answers, said):  # noqa: F811
    for rope, frames, seeds in (("none", 8, (0, 1)), ("none", 32, (0, 1)), ("yarn", 32, (0,))):
        for seed in seeds:
            write_cell(tmp_path / "sweep", rope, frames, lines=answers(1.0, 4), seeds=(0, 0, seed))
    code, text = said(tmp_path / "sweep", "--out", tmp_path / "prediction.json")
    assert code == 2
    assert re.search(
        r"ranked by means over the same seeds, got .*-f8 .* of 2 and strided-yarn-f32-none of 1 finished", text
    )


@pytest.mark.parametrize("content", ["", "[]", '{"sha256": "x"}', "[" * 100_000])
def test_another_file_is_no_prediction(tmp_path, sweeps, said, content):
    (tmp_path / "other.json").write_text(content)
    code, text = said("--score", tmp_path / "other.json", sweeps["big"])
    assert code == 2
    assert "other.json is no prediction: " in text
    assert text.count("\n") == 1


def test_nineteen_of_twenty_intervals_hold_the_truth():
    """Of normal pairs Spearman's is known: 6 / pi arcsin(r / 2)."""
    rng, r, count = np.random.default_rng(0), 0.7, 20
    truth = 6 / math.pi * math.asin(r / 2)
    drawn = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], (2000, count))
    ranks = rankdata(drawn, axis=1) - (count + 1) / 2
    rhos = (ranks[..., 0] * ranks[..., 1]).sum(1) / (ranks[..., 0] ** 2).sum(1)
    held = [low <= truth <= high for low, high in (spearman_interval(rho, count) for rho in rhos)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


PREDICTIONS = sorted((Path(__file__).parents[2] / "analysis/predictions").glob("*.json"))


@pytest.mark.parametrize("file", PREDICTIONS, ids=lambda file: file.stem)
def test_a_committed_prediction_is_as_it_was_written(file):
    content = transfer._read(file)
    assert file.stem.startswith(content["for"])  # what a later one adds stands behind it
    assert content["for"] not in {one["model"] for one in content["from"]}
