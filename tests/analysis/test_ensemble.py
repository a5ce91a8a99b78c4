"""Ensembles: one answer of several cells by either rule, held against cells that are no members."""

import csv
from itertools import product

import numpy as np
import pytest

from analysis import ensemble
from analysis.ensemble import MEAN, VOTES, ensembles, pool_answers
from analysis.runs import read_sweep
from intpv.errors import BadInput

PHASES = ("0.25", "0.5", "0.75")


def said(prediction, loglik=None, error=None, correct=None):
    """A line of one question with the options red, green and blue, of which green is right."""
    return {
        "id": "v/0",
        "options": ["red", "green", "blue"],
        "answer": "green",
        "prediction": prediction,
        "correct": prediction == "green" if correct is None else correct,
        "choice": prediction,
        "loglik": loglik,
        "error": error,
    }


@pytest.mark.parametrize(
    ("members", "votes", "mean"),
    [
        ([[-1, -2, -3]], "red", "red"),
        ([[-1, -2, -9], [-1, -2, -9], [-9, 0, -9]], "red", "green"),  # two are weakly for red, one is sure of green
        ([[0, -1, -9], [-1, 0, -9], [-9, -0.5, 0]], "green", "green"),  # a vote each: green is the most probable
        ([[100, 0, 0], [-1000, -999, -1001], [0, 5, 0]], "green", "green"),  # of each member shares, not likelihoods
    ],
)
def test_either_rule_is_what_it_says(members, votes, mean):
    lines = [said(("red", "green", "blue")[int(np.argmax(loglik))], loglik) for loglik in members]
    for order in (lines, lines[::-1]):
        for rule, answer in ((VOTES, votes), (MEAN, mean)):
            one = pool_answers(order, rule)
            assert one["prediction"] == answer
            assert one["correct"] == (answer == "green")


def test_who_could_not_answer_has_no_say():
    lines = [said(None, error="no frames"), said("green", [-2, -1, -3])]
    assert all(pool_answers(lines, rule)["prediction"] == "green" for rule in (VOTES, MEAN))
    assert pool_answers(lines[:1], MEAN)["error"] == "no frames"


def test_open_answers_are_voted_on_as_the_scorer_had_them_and_have_no_probability():
    lines = [said("a dog", correct=False), said("green", correct=True), said("green", correct=True)]
    assert pool_answers(lines, VOTES)["correct"]
    with pytest.raises(BadInput, match="question v/0 has no log-likelihoods"):
        pool_answers(lines, MEAN)


@pytest.fixture(scope="module")
def drawn(answers):
    """(phase, training) -> lines, each right by a draw of its own."""
    return {(p, t): answers(0.7, videos=40, seed=10 * t + i) for (i, p), t in product(enumerate(PHASES), (0, 1))}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers, drawn):
    folder = tmp_path_factory.mktemp("sweeps") / "phases"
    for (phase, training), lines in drawn.items():
        for line in lines:  # as sure of what it chose as of the draw of another
            line["loglik"] = [-0.5, -1.0] if line["choice"] == "yes" else [-1.0, -0.5]
        cell = write_cell(folder, "none", 8, lines=lines, seeds=(0, 0, training), overrides=[f"video.phase={phase}"])
        _set_phase(cell, float(phase))
    for training in (0, 1):
        lines = answers(1.0, videos=40, seed=training)
        _set_phase(write_cell(folder, "yarn", 24, lines=lines, seeds=(0, 0, training)), 0.5)
    return folder


def _set_phase(cell, phase):
    file = cell / ".hydra" / "config.yaml"
    file.write_text(f"{file.read_text()}video: {{phase: {phase}}}\n")


def test_three_members_answer_as_their_majority_does_in_each_training(sweep, drawn, answers):
    found = {(one.regime, one.rule): one for one in ensembles(read_sweep(sweep), "video.phase")}
    assert set(found) == set(product(("slow", "fast"), (VOTES, MEAN)))
    for regime in ("slow", "fast"):
        right, whole = [], []
        for training in (0, 1):
            ours = answers(1.0, videos=40, seed=training)
            whole.append(np.mean([q["correct"] for q in ours if q["labels"]["regime"] == regime]))
            choices = np.array(
                [[q["choice"] == "yes" for q in drawn[p, training] if q["labels"]["regime"] == regime] for p in PHASES]
            )
            right.append((choices.sum(0) >= 2).mean())
        one = found[regime, MEAN]
        assert one.accuracy == pytest.approx(np.mean(right))
        assert one.reference_accuracy == pytest.approx(np.mean(whole))
        assert one.effect.trainings == pytest.approx(np.subtract(right, whole))
        assert one.effect.value == pytest.approx(one.accuracy - one.reference_accuracy)
        alone = [
            np.mean([q["correct"] for t in (0, 1) for q in drawn[p, t] if q["labels"]["regime"] == regime])
            for p in PHASES
        ]
        assert one.alone == pytest.approx(alone)
        assert one.reference == "frames=24 rope_strategy=yarn"
        assert one.members == "frames=8 rope_strategy=none"


def test_equal_members_answer_as_one_of_them(tmp_path, write_cell, answers):
    lines = answers(0.6, videos=10, seed=3)
    for phase in PHASES:
        _set_phase(write_cell(tmp_path, "none", 8, lines=lines, overrides=[f"video.phase={phase}"]), float(phase))
    _set_phase(write_cell(tmp_path, "yarn", 8, lines=lines), 0.5)
    for one in ensembles(read_sweep(tmp_path), "video.phase"):
        if one.rule == VOTES:
            assert one.effect.value == 0
            assert one.p == 1


def test_the_page_and_the_table_hold_the_same_figures(sweep, run_verb):
    code, told, _ = run_verb(ensemble.main, sweep, "video.phase")
    assert code == 0
    page, table = (sweep / name for name in ("ensemble.md", "ensemble.csv"))
    assert told.split() == [str(page), str(table)]
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [line for line in page.read_text().splitlines() if line.startswith("| frames=8")]
    assert len(rows) == len(lines) == 4
    for row, line in zip(rows, lines, strict=True):
        assert f"{100 * float(row['value']):+.1f}" in line
        assert row["rule"] in line


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("data.limit", "has no setting data.limit"),
        ("seed", "seed: no two finished cells differ in it alone"),
    ],
)
def test_what_makes_no_ensemble_is_one_line(sweep, run_verb, key, line):
    code, _, error = run_verb(ensemble.main, sweep, key)
    assert code == 2
    assert line in error
    assert len(error.splitlines()) == 1


def test_a_member_without_the_others_seeds_is_named(tmp_path, write_cell, answers):
    for phase, training in (("0.25", 0), ("0.25", 1), ("0.75", 0)):
        lines = answers(0.7, videos=4, seed=training)
        cell = write_cell(tmp_path, "none", 8, lines=lines, seeds=(0, 0, training), overrides=[f"video.phase={phase}"])
        _set_phase(cell, float(phase))
    _set_phase(write_cell(tmp_path, "yarn", 8, lines=lines, seeds=(0, 0, 1)), 0.5)
    with pytest.raises(BadInput, match=r"video.phase=0.75 has no finished cell of .*model.seed=1"):
        ensembles(read_sweep(tmp_path), "video.phase")
