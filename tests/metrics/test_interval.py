"""Intervals: around the metric, the same as scipy's, narrower with more videos, wider than if questions were free."""

import numpy as np
import pytest
from scipy import stats

from intpv.metrics.accuracy import accuracy
from intpv.metrics.interval import accuracy_interval, bootstrap, ratio, skill_interval, tail, video_sums
from intpv.metrics.sample import is_correct
from intpv.metrics.skill import skill


def bounds(interval):
    assert len(interval) == 2
    return np.array([value for _, value in sorted(interval.items(), reverse=True)])  # low before high


def test_contain_the_metric(draw):
    lines = draw()
    low, high = bounds(accuracy_interval(lines))
    assert 0 <= low < accuracy(lines)["accuracy"] < high <= 1
    low, high = bounds(skill_interval(lines))
    assert low < skill(lines)["skill"] < high


@pytest.mark.parametrize("metric", ["accuracy", "skill"])
def test_agree_with_scipy(draw, metric):
    lines = draw()
    columns = video_sums(lines, lambda one: (is_correct(one), 1, one["ceiling"], one["blind"])).T

    def statistic(correct, count, ceiling, blind, axis):
        correct, count, ceiling, blind = (part.sum(axis) for part in (correct, count, ceiling, blind))
        return correct / count if metric == "accuracy" else (correct - blind) / (ceiling - blind)

    judge = stats.bootstrap(
        columns,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        confidence_level=1 - 2 * tail(60),
        rng=1,
    )
    ours = bounds({"accuracy": accuracy_interval, "skill": skill_interval}[metric](lines, resamples=20_000))
    # the ends of an interval from 20 000 resamples scatter by about 3 % of the standard error
    assert ours == pytest.approx(np.array(judge.confidence_interval), abs=0.15 * judge.standard_error)


def test_default_number_of_resamples_is_enough(draw):
    lines = draw()
    default, many = bounds(accuracy_interval(lines)), bounds(accuracy_interval(lines, resamples=50_000))
    assert default == pytest.approx(many, abs=0.1 * (many[1] - many[0]))


def test_shrink_with_the_root_of_the_number_of_videos(draw):
    few, many = (np.diff(bounds(accuracy_interval(draw(videos))))[0] for videos in (50, 800))
    assert few / many == pytest.approx(4, rel=0.3)


def test_videos_are_drawn_whole(draw):
    lines = draw()
    free = [{**one, "video": one["id"]} for one in lines]
    assert np.diff(bounds(accuracy_interval(lines))) > 1.2 * np.diff(bounds(accuracy_interval(free)))


def test_repeating_every_question_changes_nothing(draw):
    lines = draw()
    assert bounds(accuracy_interval(lines * 3)) == pytest.approx(bounds(accuracy_interval(lines)))


def test_one_video_has_no_interval(draw):
    assert accuracy_interval(draw(1)) == skill_interval(draw(1)) == {}
    assert accuracy_interval([]) == skill_interval([]) == {}


def test_a_resample_without_a_value_leaves_no_interval():
    assert bootstrap(np.array([[1.0, 1.0], [0.0, 1.0]]), lambda sums: np.full(len(sums), np.nan)) is None


def test_a_gap_near_zero_leaves_no_skill_interval(line):
    lines = [line(f"v{i}/0", ceiling=0.53 if i % 2 else 0.5, blind=0.5) for i in range(6)]
    assert "skill" in skill(lines)
    assert skill_interval(lines) == {}


def test_a_failed_video_widens_both_intervals(draw, failed):
    lines = draw(accuracy=0.9)
    broken = [failed(one["id"], ceiling=None, blind=None) if one["video"] == "v0" else one for one in lines]
    for interval in (accuracy_interval, skill_interval):
        assert np.diff(bounds(interval(broken))) > np.diff(bounds(interval(lines)))


def test_the_seed_decides():
    sums = np.random.default_rng(0).random((40, 2))
    assert bootstrap(sums, ratio, seed=1) == bootstrap(sums, ratio, seed=1) != bootstrap(sums, ratio, seed=2)


@pytest.mark.parametrize(("right", "videos"), [(1.0, 3), (1.0, 60), (0.0, 12), (0.5, 20)])
def test_videos_that_are_all_alike_leave_a_width_which_is_wilsons(line, right, videos):
    lines = [line(f"v{i}/{j}", correct=j < 4 * right, ceiling=0.9, blind=0.4) for i in range(videos) for j in range(4)]
    judge = stats.binomtest(round(right * videos), videos).proportion_ci(method="wilson")
    found = bounds(accuracy_interval(lines))
    assert found == pytest.approx(np.array(judge), abs=1e-9)
    assert found[0] <= right <= found[1]
    assert bounds(skill_interval(lines)) == pytest.approx((np.array(judge) - 0.4) / 0.5, abs=1e-9)


def test_other_figures_of_units_that_are_all_alike_have_no_interval():
    assert bootstrap(np.full((30, 2), 0.25), ratio) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_estimate_is_never_outside(seed):
    rng = np.random.default_rng(seed)
    sums = np.stack([rng.gamma(0.1, size=3), np.ones(3)], 1)
    low, high = bootstrap(sums, ratio, resamples=2)  # so few that they mostly lie on one side of it
    assert low <= ratio(sums.sum(0, keepdims=True))[0] <= high


@pytest.mark.slow
@pytest.mark.parametrize("videos", [20, 60, 200])
@pytest.mark.parametrize("figure", ["accuracy", "difference", "uneven"])
def test_nineteen_of_twenty_intervals_hold_the_truth(figure, videos):
    """Answers of a video stand or fall together; a benchmark asks of each video ten questions, or any number to 24."""
    rng = np.random.default_rng(3)
    repeats, truth = (1500, videos), -0.06 if figure == "difference" else 0.7
    asked = rng.integers(1, 25, repeats) if figure == "uneven" else np.full(repeats, 10)
    if figure == "difference":
        differ = rng.binomial(asked, rng.beta(1, 4, repeats))
        got = 2 * rng.binomial(differ, 0.35) - differ
    else:
        got = rng.binomial(asked, rng.beta(2.8, 1.2, repeats))
    intervals = [bootstrap(sums, ratio) for sums in np.stack([got, asked], -1).astype(float)]
    assert np.mean([low <= truth <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.02)


def test_the_tails_are_students():
    """By the t interval of a mean, of a sample without skew: percentiles alone would be a sixth narrower."""
    sample = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    low, high = bootstrap(np.stack([sample, np.ones(12)], 1), ratio, resamples=50_000)
    judge = stats.t.interval(0.95, 11, sample.mean(), stats.sem(sample))
    assert (low, high) == pytest.approx(judge, rel=0.06)
