"""The leaderboard: who holds everywhere comes first, differences are judged together, what is missing is named."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from analysis import leaderboard
from analysis.leaderboard import Setting
from analysis.runs import read_sweep
from intpv.errors import BadInput

CHANCES = {"steady": (0.8, 0.8), "peak": (0.95, 0.2), "visual_only": (0.8, 0.75)}  # at 32 and at 64 frames


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers):
    folder = tmp_path_factory.mktemp("sweeps") / "strategies"
    for number, (rope, chances) in enumerate(CHANCES.items()):
        for frames, chance in zip((8, 32, 64), (0.9, *chances), strict=True):
            write_cell(folder, rope, frames, lines=answers(chance, videos=40, seed=10 * number + frames))
    return folder


def test_what_holds_everywhere_stands_before_what_wins_once(sweep, run_verb, tmp_path):
    code, said, _ = run_verb(leaderboard.main, sweep, "--out", tmp_path)
    assert code == 0
    assert said.split() == [f"{tmp_path}/leaderboard.md", f"{tmp_path}/leaderboard.csv"]
    page = (tmp_path / "leaderboard.md").read_text()
    ranked = [line.split(" | ")[0].strip("| ") for line in page.splitlines() if line.startswith("|")][2:]
    assert ranked[-1] == "peak"
    with (tmp_path / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2  # the frames of training are no setting
    told = {row["rope_strategy"] for row in rows if row["frames"] == "64" and float(row["p_holm"]) < 0.05}
    assert told == {"peak"}
    assert all(row["holds"] == "False" for row in rows if (row["rope_strategy"], row["frames"]) == ("peak", "64"))


def test_a_place_has_every_answer_of_its_regime_and_seeds_stay_apart(sweep):
    board = leaderboard.leaderboard(read_sweep(sweep), "visual_only")
    settings = list(board["steady"])
    assert settings == [Setting("mini", frames, regime) for frames in (32, 64) for regime in ("fast", "slow")]
    lines = [
        line for cell in read_sweep(sweep) if (cell.strategy, cell.frames) == ("peak", 64) for line in cell.samples()
    ]
    slow = [line["correct"] for line in lines if line["labels"]["regime"] == "slow"]
    assert board["peak"][settings[3]].accuracy == np.mean(slow)


def test_trainings_by_another_recipe_are_a_model_of_their_own(sweep):
    cells = read_sweep(sweep)
    board = leaderboard.leaderboard([*cells, *(replace(cell, recipe="mini_long") for cell in cells)], "visual_only")
    assert {setting.model for setting in board["steady"]} == {"mini", "mini_long"}


def test_a_sweep_of_one_regime_beside_one_of_two_makes_no_empty_setting(sweep, tmp_path, write_cell, answers):
    for rope in CHANCES:
        for frames in (8, 32):
            slow = [line for line in answers(0.8, videos=40, seed=1) if line["labels"]["regime"] == "slow"]
            write_cell(tmp_path, rope, frames, lines=slow)
    other = [replace(cell, recipe="mini_long") for cell in read_sweep(tmp_path)]
    board = leaderboard.leaderboard([*read_sweep(sweep), *other], "visual_only")
    assert [setting.regime for setting in board["steady"] if setting.model == "mini_long"] == ["slow"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("--reference", "yarn"), "--reference must be a strategy that was run (peak, steady, visual_only), got yarn"),
        (("more",), "new has no finished cell at mini, 64 fast: what is compared must be run everywhere"),
    ],
)
def test_what_cannot_be_compared_is_one_line(sweep, run_verb, tmp_path, write_cell, answers, change, line):
    if change == ("more",):
        for frames in (8, 32):
            write_cell(tmp_path / "more", "new", frames, lines=answers(0.5, videos=40))
        change = (tmp_path / "more",)
    code, _, said = run_verb(leaderboard.main, sweep, *change)
    assert (code, said.splitlines()) == (2, [line])


@pytest.mark.parametrize("videos", [30, 50])
def test_other_questions_are_refused(sweep, tmp_path, write_cell, answers, videos):
    for frames in (8, 32, 64):
        write_cell(tmp_path / "more", "new", frames, lines=answers(0.5, videos=videos))
    with pytest.raises(BadInput, match="same questions"):
        leaderboard.leaderboard([*read_sweep(sweep), *read_sweep(tmp_path / "more")], "visual_only")
