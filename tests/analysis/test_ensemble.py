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


def said(prediction, loglik=None, error=None, choice=None, correct=None):
    """A line of one question with the options red, green and blue, of which green is right."""
    return {
        "id": "v/0",
        "options": ["red", "green", "blue"],
        "answer": "green",
        "prediction": prediction,
        "correct": prediction == "green" if correct is None else correct,
        "choice": choice or (prediction if loglik else None),
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
            assert one["choice"] == answer
            assert one["correct"] == (answer == "green")


def test_who_could_not_answer_has_no_say():
    lines = [said(None, error="no frames"), said("green", [-2, -1, -3])]
    assert all(pool_answers(lines, rule)["prediction"] == "green" for rule in (VOTES, MEAN))
    assert pool_answers(lines[:1], MEAN)["error"] == "no frames"


def test_votes_are_for_what_is_meant_not_for_how_it_is_written():
    letters = [said(text, [-2, -1, -3], choice="green") for text in ("(B)", "B", "B. green")]
    assert pool_answers([*letters, *2 * [said("A", [-1, -2, -3], choice="red")]], VOTES)["choice"] == "green"
    opened = [said("a dog", correct=False), said("Green.", correct=True), said("green", correct=True)]
    assert pool_answers(opened, VOTES)["correct"]


@pytest.fixture(scope="module")
def drawn(answers):
    """(phase, training) -> lines, each right by a draw of its own."""
    return {(p, t): answers(0.7, videos=40, seed=10 * t + i) for (i, p), t in product(enumerate(PHASES), (0, 1))}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers, drawn):
    folder = tmp_path_factory.mktemp("sweeps") / "phases"
    for (phase, training), lines in drawn.items():
        _follow_choice(lines)
        cell = write_cell(folder, "none", 8, lines=lines, seeds=(0, 0, training), overrides=[f"video.phase={phase}"])
        _set_phase(cell, float(phase))
    for training in (0, 1):
        _follow_choice(lines := answers(1.0, videos=40, seed=training))
        _set_phase(write_cell(folder, "yarn", 24, lines=lines, seeds=(0, 0, training)), 0.5)
    return folder


def _set_phase(cell, phase):
    file = cell / ".hydra" / "config.yaml"
    file.write_text(f"{file.read_text()}video: {{phase: {phase}}}\n")


def test_three_members_answer_as_their_majority_does_in_each_training(sweep, drawn, answers):
    members, pooled = ensembles(read_sweep(sweep), "video.phase")
    found = {(one.regime, one.rule): one for one in pooled}
    assert set(found) == set(product(("slow", "fast"), (VOTES, MEAN)))
    for regime in ("slow", "fast"):
        right, whole = [], []
        for training in (0, 1):
            ours = answers(1.0, videos=40, seed=training)
            whole.append(np.mean([q["choice"] == "yes" for q in ours if q["labels"]["regime"] == regime]))
            choices = np.array(
                [[q["choice"] == "yes" for q in drawn[p, training] if q["labels"]["regime"] == regime] for p in PHASES]
            )
            right.append((choices.sum(0) >= 2).mean())
        for rule in (MEAN, VOTES):
            one = found[regime, rule]
            assert one.accuracy == pytest.approx(np.mean(right))
            assert one.reference_accuracy == pytest.approx(np.mean(whole))
            assert one.effect.trainings == pytest.approx(np.subtract(right, whole))
            assert one.effect.value == pytest.approx(one.accuracy - one.reference_accuracy)
            assert one.reference == "frames=24 rope_strategy=yarn video.phase=0.5"
            assert one.name == "frames=8 rope_strategy=none"
        for phase in PHASES:
            lines = [q for t in (0, 1) for q in drawn[phase, t] if q["labels"]["regime"] == regime]
            (own,) = [one for one in members if (one.value, one.regime) == (phase, regime)]
            assert own.accuracy == pytest.approx(np.mean([q["choice"] == "yes" for q in lines]))
            assert own.ceiling == pytest.approx(0.95)


def _phases(folder, write_cell, lines_of, last):
    """A cell for each phase, and one of yarn that is no member."""
    for phase in PHASES:
        cell = write_cell(folder, "none", 8, lines=lines_of(phase), overrides=[f"video.phase={phase}"])
        _set_phase(cell, float(phase))
    _set_phase(write_cell(folder, "yarn", 8, lines=last), 0.5)
    return folder


def test_equal_members_answer_as_one_of_them(tmp_path, write_cell, answers):
    """Also where what they said freely is no option: nobody gains by what is mended for all."""
    lines = answers(0.6, videos=10, seed=3)
    _follow_choice(lines)
    assert any(not line["valid"] for line in lines)
    _phases(tmp_path, write_cell, lambda _: lines, lines)
    _, pooled = ensembles(read_sweep(tmp_path), "video.phase")
    assert {one.rule for one in pooled} == {MEAN, VOTES}
    assert all(one.effect.value == 0 and one.p == 1 for one in pooled)


def _follow_choice(lines):
    """Log-likelihoods by which the choice is the likeliest, as a run's are."""
    for line in lines:
        line["loglik"] = [-0.5, -1.0] if line["choice"] == "yes" else [-1.0, -0.5]


@pytest.mark.parametrize("kind", ["open", "per_character"])
def test_without_likelihoods_of_whole_options_there_are_votes_alone(tmp_path, write_cell, answers, kind):
    lines = answers(0.6, videos=10, seed=3)
    for line in lines:
        if kind == "open":
            line |= {"options": [], "choice": None, "loglik": None}
        else:  # the less likely text, for it is longer
            line["loglik"] = [-1.0, -0.5] if line["choice"] == "yes" else [-0.5, -1.0]
    _, pooled = ensembles(read_sweep(_phases(tmp_path, write_cell, lambda _: lines, lines)), "video.phase")
    assert {one.rule for one in pooled} == {VOTES}
    assert all(one.effect.value == 0 for one in pooled)


def test_cells_of_the_same_answers_are_one_line(tmp_path, write_cell, answers):
    _phases(tmp_path, write_cell, lambda _: answers(0.6, videos=10, seed=3), last := answers(0.9, videos=10, seed=4))
    _set_phase(write_cell(tmp_path, "ntk", 8, lines=last), 0.5)
    _, pooled = ensembles(read_sweep(tmp_path), "video.phase")
    assert {one.reference for one in pooled} == {
        "rope_strategy=ntk video.phase=0.5 or rope_strategy=yarn video.phase=0.5"
    }


def test_an_unfinished_member_is_named_and_another_cell_left_out(tmp_path, write_cell, answers, run_verb):
    lines = answers(0.6, videos=10, seed=3)
    _phases(tmp_path, write_cell, lambda _: lines, lines)
    other = write_cell(tmp_path, "ntk", 8, lines=MemoryError("40 GB asked"))
    _set_phase(other, 0.5)
    assert run_verb(ensemble.main, tmp_path, "video.phase")[0] == 0
    assert f"Not finished, and left out: {other.name}." in (tmp_path / "ensemble.md").read_text()
    member = write_cell(tmp_path, "none", 8, lines=MemoryError("40 GB asked"), overrides=["video.phase=0.9"])
    _set_phase(member, 0.9)
    code, _, error = run_verb(ensemble.main, tmp_path, "video.phase")
    assert code == 2
    assert error.startswith(f"{member} is oom: an ensemble without one of its members")


def test_the_page_and_the_table_hold_the_same_figures(sweep, run_verb):
    code, told, _ = run_verb(ensemble.main, sweep, "video.phase")
    assert code == 0
    page, table = (sweep / name for name in ("ensemble.md", "ensemble.csv"))
    assert told.split() == [str(page), str(table)]
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    together = page.read_text().partition("## Together")[2]
    lines = [line for line in together.splitlines() if line.startswith("| frames=8")]
    assert len(rows) == len(lines) == 4
    for row, line in zip(rows, lines, strict=True):
        assert f"{100 * float(row['value']):+.1f}" in line
        assert row["rule"] in line


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("data.limit", "has no setting data.limit"),
        ("encoder", "no two cells differ in encoder alone: there is nothing to pool"),
        ("model.seed", "model.seed is a seed, over which every table pools already"),
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
