"""A threshold lets the baseline's own videos pass, fresh ones too, and stops what lies outside their spread."""

import numpy as np
import pytest

from intpv.metrics.signatures.verdicts import moved, too_high, too_low


@pytest.mark.parametrize("videos", [3, 8, 20, 200])
def test_the_baseline_does_not_fire_on_fresh_videos(videos):
    draws = np.random.default_rng(0).normal(5, 2, (300, 2, videos))
    fired = [verdict(*pair).fires for pair in draws.tolist() for verdict in (too_high, too_low, moved)]
    assert np.mean(fired) < 0.03


@pytest.mark.parametrize("videos", [20, 200])
def test_a_shift_beyond_the_spread_fires_on_its_side_alone(videos):
    draw = np.random.default_rng(1).normal(5, 2, videos)
    baseline, up, down = ((draw + 2 * step * draw.std()).tolist() for step in (0, 1, -1))
    assert too_high(up, baseline).fires
    assert too_low(down, baseline).fires
    assert moved(up, baseline).fires
    assert moved(down, baseline).fires
    assert not too_high(down, baseline).fires
    assert not too_low(up, baseline).fires
    assert not too_high(up, baseline, allowance=3 * float(draw.std())).fires


def test_the_same_values_never_fire():
    for values in ([0.0, 0.0], [1.0, 1.0, 1.0], [0.1, 0.9]):
        assert not any(verdict(values, values).fires for verdict in (too_high, too_low, moved))


def test_without_spread_any_change_fires_but_rounding():
    assert too_low([0.25, 0.25], [1.0, 1.0]).fires
    assert not too_low([1 - 1e-9] * 2, [1.0, 1.0]).fires


def test_one_video_has_no_threshold():
    named = too_high([9.0], [1.0]).named("x")
    assert named == {"signature/x/value": 9.0, "signature/x/baseline": 1.0}
    assert set(too_high([9.0] * 2, [1.0] * 2).named("x")) == {*named, "signature/x", "signature/x/threshold"}
