"""The spread of seconds: order, scale, and only of what was timed."""

import numpy as np
import pytest

from intpv.metrics.timing import QUANTILES, answering, spread


def test_quantiles_are_ordered_and_scale_with_the_seconds():
    seconds = np.random.default_rng(0).gamma(2.0, size=40)
    once, thrice = (spread([{"time/ask_s": factor * one, "kv/bytes": 3} for one in seconds]) for factor in (1, 3))
    assert set(once) == {f"time/ask_s/{name}" for name in QUANTILES}
    assert once["time/ask_s/p05"] < once["time/ask_s/median"] < once["time/ask_s/p95"]
    assert thrice == {name: pytest.approx(3 * value) for name, value in once.items()}
    assert once["time/ask_s/median"] == pytest.approx(np.median(seconds))


def test_a_part_that_some_videos_lack_is_of_the_others():
    figures = [{"time/a_s": 1.0, "time/per_token_s": 5.0}, {"time/a_s": 3.0}]
    found = spread(figures)
    assert {found[f"time/per_token_s/{name}"] for name in QUANTILES} == {5.0}
    assert found["time/a_s/median"] == 2.0
    assert spread([]) == {}


def test_a_token_is_the_mean_of_its_steps_and_left_out_without_any():
    assert answering({"first_token": [2.0], "next_token": [1.0, 3.0]}) == {"first_token_s": 2.0, "per_token_s": 2.0}
    assert answering({"first_token": [2.0]}) == {"first_token_s": 2.0}
