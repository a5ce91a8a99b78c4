"""Saturating curves: scipy's curve_fit on the same points, known truths, and what is refused by name."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from intpv.errors import BadInput
from intpv.metrics.saturation import saturation

FRAMES = [8, 16, 32, 64]


def curve(frames, start, rise, scale):
    return start + rise * (1 - np.exp(-np.asarray(frames) / scale))


def drawn(truth, videos=60, asked=10, seed=0, spread=8.0):
    """Right answers of videos that are easy or hard at every frame count alike."""
    rng = np.random.default_rng(seed)
    place = rng.normal(0, 1 / spread, (videos, 1))
    return rng.binomial(asked, np.clip(np.asarray(truth) + place, 0, 1)), np.full(videos, asked)


@pytest.mark.parametrize("scale", [4, 10, 15])
@pytest.mark.parametrize("seed", range(3))
def test_is_scipys_fit(scale, seed):
    frames = [4, 8, 16, 32, 64, 128]
    correct, asked = drawn(curve(frames, 0.2, 0.5, scale), videos=400, seed=seed)
    accuracy = correct.sum(0) / asked.sum()
    (start, rise, length), _ = curve_fit(curve, frames, accuracy, p0=(0.2, 0.5, scale))
    found = saturation(frames, correct, asked, resamples=10)
    assert found.plateau == pytest.approx(start + rise, abs=2e-3)
    assert found.frames == pytest.approx(length * np.log(20 * rise / (start + rise)), rel=0.03)


def test_every_answer_right_is_a_plateau_at_the_fewest_frames():
    found = saturation(FRAMES, np.full((20, 4), 10), np.full(20, 10))
    assert (found.plateau, found.frames, found.frames_low) == (1, 8, None)


def test_a_curve_that_is_flat_has_reached_its_plateau():
    found = saturation(FRAMES, *drawn([0.6] * 4, seed=3))
    assert found.frames_low == 8
    assert found.plateau_low <= 0.6 <= found.plateau_high


@pytest.mark.parametrize(
    ("frames", "truth", "why"),
    [
        (FRAMES, [0.5, 0.65, 0.8, 0.5], r"falls from \d\d\.\d % at 32 frames to .* at 64"),
        (FRAMES, [0.2, 0.3, 0.5, 0.9], "still rising at 64 frames: 95 % of a plateau of"),
        ([8, 16, 32], [0.5, 0.6, 0.62], "needs 4 frame counts or more, got 8, 16, 32"),
    ],
)
def test_what_does_not_saturate_is_refused(frames, truth, why):
    with pytest.raises(BadInput, match=why):
        saturation(frames, *drawn(truth, videos=100))


def test_where_it_may_still_rise_the_interval_ends_beyond_the_most_frames():
    correct = np.array([[5, 8, 9, 9]] * 9 + [[1, 2, 4, 8]] * 3)
    assert saturation(FRAMES, correct, np.full(12, 10)).frames_high > 64


@pytest.mark.slow
def test_nineteen_of_twenty_intervals_hold_the_truth():
    truth = curve(FRAMES, 0.15, 0.6, 9.0)
    reached = 9.0 * np.log(20 * 0.6 / 0.75)
    found = [one for seed in range(400) if (one := _fit(drawn(truth, seed=seed)))]
    assert len(found) >= 396  # what luck makes fall, or rise to the end, is refused
    assert np.mean([one.plateau_low <= 0.75 <= one.plateau_high for one in found]) == pytest.approx(0.95, abs=0.02)
    assert np.mean([one.frames_low <= reached <= one.frames_high for one in found]) == pytest.approx(0.95, abs=0.02)


def _fit(answers):
    try:
        return saturation(FRAMES, *answers, resamples=500)
    except BadInput:
        return None
