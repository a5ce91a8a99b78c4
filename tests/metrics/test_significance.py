"""p-values against what they are by definition: counted coin tosses, scipy's permutations, and closed testing."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from intpv.metrics.significance import holm, mcnemar, sign_flip


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (3, 3), (2, 11), (40, 17), (300, 341)])
def test_mcnemar_counts_the_tosses_that_are_as_uneven(gained, lost):
    changed = gained + lost
    uneven = sum(comb(changed, k) for k in range(changed + 1) if abs(2 * k - changed) >= abs(gained - lost))
    assert mcnemar(gained, lost) == pytest.approx(float(Fraction(uneven, 2**changed)))
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


@pytest.mark.parametrize("videos", [2, 6, 12, 13, 60])
def test_sign_flips_are_scipys(videos):
    net = np.random.default_rng(videos).integers(-2, 4, videos).astype(float)
    judge = permutation_test(
        (net,), np.sum, permutation_type="samples", n_resamples=40_000, rng=np.random.default_rng(1), axis=-1
    )
    assert sign_flip(net) == pytest.approx(judge.pvalue, abs=0.01)


def test_sign_flips_of_one_question_a_video_are_the_sign_test():
    assert sign_flip(np.array([1.0] * 9 + [0.0] * 3)) == pytest.approx(binomtest(9, 9).pvalue)


def test_alike_is_no_difference():
    assert sign_flip(np.zeros(12)) == 1


def test_where_videos_change_together_mcnemar_sees_more_than_there_is():
    """Three videos of ten questions each, all gained: three coins, not thirty."""
    assert sign_flip(np.array([10.0] * 3)) == 0.25 > mcnemar(30, 0)


def test_holm_is_closed_testing_by_bonferroni():
    """Adjusted p of a test: the largest Bonferroni p of all families that it belongs to."""
    p = np.random.default_rng(0).beta(0.5, 3, 8)
    families = [set(some) for size in range(1, 9) for some in combinations(range(8), size)]
    closed = [max(min(1, len(f) * min(p[list(f)])) for f in families if test in f) for test in range(8)]
    assert holm(p.tolist()) == pytest.approx(closed)


def test_holm_keeps_the_familys_level():
    """Of families without any difference one in twenty may show one."""
    rng = np.random.default_rng(0)
    wrong = sum(min(holm(rng.random(30).tolist())) < 0.05 for _ in range(2000))
    assert binomtest(wrong, 2000, 0.05).pvalue > 0.001


@pytest.mark.parametrize("videos", [20, 60])
def test_where_nothing_differs_one_in_twenty_is_told_by_videos_and_more_by_questions(videos):
    """Answers of a video change together: five questions are one toss."""
    rng, repeats = np.random.default_rng(4), 600
    net = 5 * rng.choice((-1, 0, 1), (repeats, videos), p=(0.2, 0.6, 0.2))
    by_video = np.mean([sign_flip(each.astype(float)) < 0.05 for each in net])
    by_question = np.mean([mcnemar(int(each[each > 0].sum()), int(-each[each < 0].sum())) < 0.05 for each in net])
    assert by_video <= 0.05 + 2 * (0.05 * 0.95 / repeats) ** 0.5
    assert by_question > 0.2
