"""The equivalence interval: scipy's Clopper-Pearson and sign test where they apply, and coverage on drawn videos."""

import numpy as np
import pytest
from scipy.stats import binomtest, sem, t

from intpv.metrics.equivalence import equivalence_interval
from intpv.metrics.interval import bootstrap, ratio


def of(net, each=1):
    """Sums of videos with `each` questions that changed by `net` in all."""
    net = np.asarray(net, dtype=float)
    return np.stack([net, np.full(len(net), each, dtype=float)], 1)


@pytest.mark.parametrize(("lost", "videos"), [(0, 12), (0, 60), (0, 180), (1, 60), (5, 60), (60, 60), (1, 1)])
def test_is_the_exact_bound_where_answers_are_lost_alone(lost, videos):
    low, _ = equivalence_interval(of([-1] * lost + [0] * (videos - lost)))
    exact = binomtest(lost, videos).proportion_ci(0.9, method="exact").high
    assert low == pytest.approx(-exact, rel=0.05)  # of 10,000 drawn weights


@pytest.mark.parametrize("videos", [1, 20, 180])
def test_has_a_width_where_no_answer_differs(videos):
    low, high = equivalence_interval(of([0] * videos, each=3))
    assert low == pytest.approx(-high, rel=0.1)
    assert high == pytest.approx(binomtest(0, videos).proportion_ci(0.9, method="exact").high, rel=0.05)


@pytest.mark.parametrize("changed", [2, 4, 5, 9])
def test_is_off_0_where_the_sign_test_is(changed):
    _, high = equivalence_interval(of([-1] * changed + [0] * 50))
    assert (high < 0) == (binomtest(0, changed, alternative="less").pvalue < 0.05)


def test_turns_its_sign_with_the_answers():
    net = np.random.default_rng(0).integers(-2, 2, 40)
    (low, high), (less, more) = equivalence_interval(of(net, 2)), equivalence_interval(of(-net, 2))
    assert (low, high) == pytest.approx((-more, -less))
    assert low < net.mean() / 2 < high


def test_a_kind_asked_more_often_of_some_videos_is_bounded_by_the_largest():
    even, uneven = (equivalence_interval(np.array([[0.0, n] for n in counts])) for counts in ([2] * 40, [1, 3] * 20))
    assert uneven[0] < even[0]


@pytest.mark.parametrize(("loses", "gains"), [(0.01, 0.0), (0.03, 0.01), (0.1, 0.05), (0.3, 0.3)])
def test_leaves_the_truth_out_on_either_side_in_at_most_one_of_twenty(loses, gains):
    """60 videos of two questions; a video that changes changes one or both."""
    rng, repeats, truth = np.random.default_rng(7), 400, 0.75 * (gains - loses)
    above = below = bare = 0
    for _ in range(repeats):
        sign = rng.choice([-1, 1, 0], 60, p=[loses, gains, 1 - loses - gains])
        sums = of(sign * rng.integers(1, 3, 60), 2)
        low, high = equivalence_interval(sums)
        above, below = above + (low > truth), below + (high < truth)
        bare += not_covered(bootstrap(sums, ratio), truth)
    assert max(above, below) / repeats <= 0.05 + 2 * (0.05 * 0.95 / repeats) ** 0.5
    if loses == 0.01:  # what this is for: more than half of the draws leave the bootstrap without anything to draw
        assert bare / repeats > 0.4


def not_covered(interval, truth):
    low, high = interval or (0, 0)
    return not low <= truth <= high


@pytest.mark.slow
@pytest.mark.parametrize("videos", [20, 200])
@pytest.mark.parametrize("margin", [0.1, 0.2])
def test_a_loss_as_large_as_the_margin_is_called_none_in_at_most_one_of_twenty(videos, margin):
    rng, repeats = np.random.default_rng(9), 400
    net = rng.choice((-1, 0, 1), (repeats, videos), p=(0.15 + margin, 0.7 - margin, 0.15))
    called = np.mean([equivalence_interval(of(each))[0] > -margin for each in net])
    assert called <= 0.05 + 2 * (0.05 * 0.95 / repeats) ** 0.5


def test_of_many_videos_it_is_two_one_sided_t_tests():
    """scipy's t interval at 90 %; the one unseen video moves each end by at most its share."""
    net = np.random.default_rng(3).choice((-1, 0, 1), 2000, p=(0.1, 0.8, 0.1))
    judge = t.interval(0.9, len(net) - 1, net.mean(), sem(net))
    assert equivalence_interval(of(net)) == pytest.approx(judge, abs=2 / len(net))
