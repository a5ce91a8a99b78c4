"""Intervals of attention KL: the cell's mean in the middle of what resampled videos give, head by head."""

import numpy as np
import pytest
import torch

from intpv.attention_kl.intervals import VideoSums
from intpv.attention_kl.report import Measured
from intpv.attention_kl.sums import HeadSums, Listed
from intpv.metrics.interval import tail

LAYERS, HEADS, QUESTIONS = 2, 3, 4
FLIPS = ("right_to_wrong", "wrong_to_right", "changed_wrong")


def video(rng: np.random.Generator, level: float) -> Measured:
    """As one video leaves it: some head may have fewer rows than others, or none."""
    rows = torch.from_numpy(rng.integers(0, 20, (LAYERS, HEADS)).astype(float))
    rows[0, 0] = 0
    parts = {"kl/all": level * rows * torch.from_numpy(rng.random((LAYERS, HEADS)))}
    for name in ("entropy/reference", "entropy/modified", "top1_agreement", "lost_mass", "output/error", "output/norm"):
        parts[name] = rows.clone()
    sums = {**parts, **{f"mass/{side}": torch.ones(LAYERS, HEADS, 8) for side in ("reference", "modified")}}
    local = HeadSums((0, 1), sums, dict.fromkeys(sums, rows))
    flips = {name: torch.from_numpy((rng.random(QUESTIONS) < 0.3).astype(float)) for name in FLIPS}
    return Measured({"local": local}, {"answers": Listed({"answer_kl": torch.full((QUESTIONS,), level), **flips})})


@pytest.fixture
def videos():
    rng = np.random.default_rng(3)
    return [video(rng, level) for level in rng.exponential(0.01, 12)]


def test_the_bounds_are_those_of_resampled_cells(videos):
    """Judge: the figures of whole cells, made of videos drawn again and again."""
    sums = VideoSums()
    figures = Measured.together(sums.watching(videos)).figures()
    bounds = sums.figures()
    assert bounds["attention_kl/videos"] == len(videos)
    rng = np.random.default_rng(0)
    names = ("attention_kl/local/all/mean", "attention_kl/answer_kl/mean", *(f"flips/{name}" for name in FLIPS))
    drawn = [
        Measured.together(videos[i] for i in rng.integers(0, len(videos), len(videos))).figures() for _ in range(400)
    ]
    for name in names:
        low, high = (bounds[f"{name}_ci95_{end}"] for end in ("low", "high"))
        assert low <= figures[name] <= high
        expected = np.quantile([one[name] for one in drawn], (tail(len(videos)), 1 - tail(len(videos))))
        assert (low, high) == pytest.approx(expected, abs=0.15 * (high - low)), name


def test_what_tells_no_spread_has_no_bounds(videos):
    for few in (videos[:1], videos[:1] * 5):
        sums = VideoSums()
        Measured.together(sums.watching(few))
        assert sums.figures() == {"attention_kl/videos": len(few)}


def test_nothing_measured_says_nothing():
    sums = VideoSums()
    assert Measured.together(sums.watching([])).figures() == sums.figures() == {}
