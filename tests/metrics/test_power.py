"""Power: scipy's standard error and t-test say what a difference of the stated size comes to."""

import numpy as np
import pytest
from scipy import stats

from intpv.metrics.power import POWER, minimum_detectable, planned_error, seen_error


def test_the_error_is_that_of_a_mean_where_videos_have_equally_many_questions():
    net = np.random.default_rng(0).integers(-3, 4, 40)
    assert seen_error(np.stack([net, np.full(40, 5)], 1)) == pytest.approx(stats.sem(net / 5))


@pytest.mark.parametrize("videos", [20, 200])
def test_a_difference_of_that_size_is_told_in_four_of_five_samples(videos):
    rng, error = np.random.default_rng(1), 0.02
    drawn = rng.normal(minimum_detectable(error, videos), error * videos**0.5, (4000, videos))
    told = stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
    assert told.mean() == pytest.approx(POWER, abs=0.03)


@pytest.mark.parametrize("together", [0.0, 0.3, 1.0])
def test_what_is_planned_is_what_drawn_videos_scatter_by(together):
    """A video is either one draw or as many as it has questions."""
    rng, asked, differ = np.random.default_rng(2), np.array([4, 10, 24] * 30), 0.2
    drawn = []
    for _ in range(4000):
        changed = rng.binomial(asked, differ)
        whole = rng.choice((-1, 0, 1), len(asked), p=(differ / 2, 1 - differ, differ / 2)) * asked
        apart = 2 * rng.binomial(changed, 0.5) - changed
        drawn.append(np.where(rng.random(len(asked)) < together, whole, apart).sum() / asked.sum())
    assert np.std(drawn) == pytest.approx(planned_error(asked.tolist(), differ, together), rel=0.05)
