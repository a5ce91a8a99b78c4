"""Saturation of a sweep: drawn from known curves, frames and plateau come back; what does not saturate is named."""

import re

import numpy as np
import pytest

from analysis import saturation

FRAMES, VIDEOS = (8, 16, 32, 64), 50
SCALE = {"slow": 5.0, "fast": 12.0}  # frames: 95 % of 0.8 is reached at 14 and at 32


def _rises(frames):
    return {regime: 0.2 + 0.6 * (1 - np.exp(-frames / scale)) for regime, scale in SCALE.items()}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, write_cell, answers):
    folder = tmp_path_factory.mktemp("sweeps") / "speed"
    for frames in FRAMES:
        write_cell(folder, "yarn", frames, lines=_spread(answers(videos=VIDEOS), _rises(frames)))
        write_cell(folder, "linear", frames, lines=_spread(answers(videos=VIDEOS), dict.fromkeys(SCALE, 24 / frames)))
    write_cell(folder, "none", 8, lines=answers(0.5, VIDEOS))
    return folder


def _spread(lines, shares):
    """So many right of each regime, evenly over its videos."""
    for regime, share in shares.items():
        for place, line in enumerate(line for line in lines if line["labels"]["regime"] == regime):
            line["correct"] = bool(37 * place % 100 < 100 * share)
    return lines


def rows(text):
    lines = [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in text.splitlines() if "| " in line]
    return {(line[0], line[3]): line for line in lines[2:]}


def test_known_curves_come_back(run_verb, sweep):
    code, text, _ = run_verb(saturation.main, sweep)
    assert code == 0
    ends = {"≤ 8": 8, "> 64": np.inf}
    for regime, scale in SCALE.items():
        row = rows(text)["yarn", regime]
        reached, low, high = (ends[text] if text in ends else float(text) for text in _numbers(row[6]))
        assert low <= scale * np.log(20 * 0.6 / 0.8) <= high
        assert row[7] == str(next(count for count in FRAMES if count >= reached))
        assert float(_numbers(row[5])[1]) <= 80 <= float(_numbers(row[5])[2])


def _numbers(text):
    return re.fullmatch(r"(.+) \[(.+), (.+)\]", text).groups()


def test_what_falls_or_was_run_too_rarely_is_named(run_verb, sweep):
    _, text, _ = run_verb(saturation.main, sweep)
    for group in ("all", "slow", "fast"):  # as good as ever at the fewest
        assert "falls from" in rows(text)["linear", group][-1]
        assert rows(text)["linear", group][7] == "8"
    assert "needs 4 frame counts or more, got 8" in rows(text)["none", "all"][-1]


def test_by_another_label(run_verb, sweep):
    _, text, _ = run_verb(saturation.main, sweep, "--label", "kind")
    assert {group for _, group in rows(text)} == {"all", "order", "presence"}
    code, _, error = run_verb(saturation.main, sweep, "--label", "tempo")
    assert code == 2
    assert error == "--label must be one of kind, regime, as questions have it, got tempo\n"


def test_the_rule_is_tried_on_videos_that_it_was_not_found_on(run_verb, sweep, tmp_path, write_cell, answers):
    for frames in FRAMES:
        falls = dict.fromkeys(SCALE, 24 / frames)
        write_cell(tmp_path, "yarn", frames, lines=_spread(answers(videos=VIDEOS), _rises(frames)), seeds=(0, 1))
        write_cell(tmp_path, "linear", frames, lines=_spread(answers(videos=VIDEOS), falls), seeds=(0, 1))
    code, text, _ = run_verb(saturation.main, sweep, "--held-out", str(tmp_path))
    assert code == 0
    rules, tried = (rows(part) for part in text.split("The rule on videos"))
    for regime in SCALE:
        name, best = ("yarn", regime), _rises(64)[regime]
        rule, *kept = tried[name][4:]
        assert rule == rules[name][7]
        for count, shown in zip((int(rule), 8, 64), kept, strict=True):
            # the best of every resample, as the most frames are here, is all of itself: no interval
            value, low, high = map(float, _numbers(shown) if "[" in shown else [shown] * 3)
            assert value == pytest.approx(100 * _rises(count)[regime] / best, abs=3)
            assert low <= value <= high <= 100
    assert not any(strategy == "none" for strategy, _ in tried)  # of one frame count


def test_a_held_out_sweep_of_the_same_videos_or_without_the_rules_frames_is_refused(
    run_verb, sweep, tmp_path, write_cell, answers
):
    code, _, error = run_verb(saturation.main, sweep, "--held-out", str(sweep))
    assert (code, error) == (2, "--held-out must be of other videos, got data.seed=0 in both sweeps\n")
    write_cell(tmp_path, "yarn", 8, lines=answers(videos=VIDEOS), seeds=(0, 1))
    code, _, error = run_verb(saturation.main, sweep, "--held-out", str(tmp_path))
    assert code == 2
    assert re.fullmatch(r"the held-out sweep has no finished cell of linear strided none \w+ at \d+ frames\n", error)
