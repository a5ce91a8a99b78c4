"""Intervals: around the metric, the same as scipy's, narrower with more videos, wider than if questions were free."""

import numpy as np
import pytest
from scipy import stats

from intpv.measure.accuracy import accuracy
from intpv.measure.interval import accuracy_interval, bootstrap, ratio, skill_interval, video_sums
from intpv.measure.sample import is_correct
from intpv.measure.skill import skill


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
        columns, statistic, paired=True, vectorized=True, n_resamples=20_000, method="percentile", rng=1
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
