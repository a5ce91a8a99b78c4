"""Prediction-powered inference: unbiased whatever the judge, and its interval holds the truth as often as it says."""

import numpy as np
import pytest
from scipy import stats

from intpv.metrics.prediction_powered import prediction_powered


def draw(rng, videos, per_video, labelled, sensitivity, specificity, clustered=4.0):
    """Answers whose true accuracy is 0.6, the judge's error rates, and a few labels, drawn at random."""
    easy = np.repeat(rng.beta(0.6 * clustered, 0.4 * clustered, videos), per_video)
    truth = rng.random(videos * per_video) < easy
    judged = np.where(truth, rng.random(truth.size) < sensitivity, rng.random(truth.size) > specificity)
    human = [None] * truth.size
    for place in rng.choice(truth.size, labelled, replace=False):
        human[place] = float(truth[place])
    return judged.astype(float).tolist(), human, [f"v{place}" for place in np.repeat(np.arange(videos), per_video)]


@pytest.mark.parametrize(
    ("labelled", "sensitivity", "specificity"),
    [(60, 0.9, 0.7), (60, 0.99, 0.98), (30, 0.97, 0.97), (60, 0.5, 0.5)],
    ids=["lenient", "nearly right", "few labels", "tells nothing"],
)
def test_coverage_and_bias(labelled, sensitivity, specificity):
    rng = np.random.default_rng(1)
    found = [prediction_powered(*draw(rng, 60, 10, labelled, sensitivity, specificity)) for _ in range(400)]
    held = np.mean([one.low <= 0.6 <= one.high for one in found])
    assert 0.93 <= held <= 0.995  # 95 %, standard error 1.1 %
    assert np.mean([one.mean for one in found]) == pytest.approx(0.6, abs=0.012)


def test_a_good_judge_narrows_what_labels_alone_tell():
    judged, human, videos = draw(np.random.default_rng(2), 200, 5, 60, 0.97, 0.97)
    good = prediction_powered(judged, human, videos)
    alone = prediction_powered([0.0] * len(judged), human, videos)
    assert good.high - good.low < 0.75 * (alone.high - alone.low)
    assert alone.power == 0
    assert alone.mean == np.mean([one for one in human if one is not None])


def test_a_judge_that_tells_nothing_leaves_the_mean_of_the_labels_with_its_t_interval():
    rng = np.random.default_rng(3)
    labels = (rng.random(200) < 0.6).astype(float)
    found = prediction_powered([1.0] * 200, labels.tolist(), [str(n) for n in range(200)])
    low, high = stats.t.interval(0.95, 199, labels.mean(), stats.sem(labels))
    assert found.mean == labels.mean()
    assert (found.low, found.high) == (pytest.approx(low, abs=2e-3), pytest.approx(high, abs=2e-3))


def test_labels_that_all_agree_claim_no_certainty():
    found = prediction_powered([1.0, 0.0] * 500, [1.0, 0.0] * 5 + [None] * 990, [str(n) for n in range(1000)])
    assert found.high - found.low > 0.3


def test_without_two_labelled_videos_there_is_none():
    assert prediction_powered([1.0, 0.0], [1.0, None], ["a", "b"]) is None
    assert prediction_powered([1.0, 0.0], [1.0, 0.0], ["a", "a"]) is None


def test_videos_that_cannot_be_read_widen_the_interval():
    """Half of the videos fail, each for itself: the accuracy over all is 0.3, and the interval holds it."""
    rng, found = np.random.default_rng(4), []
    for _ in range(300):
        judged, human, videos = draw(rng, 60, 10, 80, 0.95, 0.95, clustered=20.0)
        there = set(np.array([f"v{n}" for n in range(60)])[rng.random(60) < 0.5])
        asked = [one for one, video in enumerate(videos) if video in there]
        gone = [video for video in videos if video not in there]
        found.append(prediction_powered(*([side[one] for one in asked] for side in (judged, human, videos)), gone))
    assert 0.92 <= np.mean([one.low <= 0.3 <= one.high for one in found]) <= 0.99  # standard error 1.3 %
    fixed = prediction_powered(*([side[one] for one in asked] for side in (judged, human, videos)))
    share = len(asked) / len(videos)
    assert found[-1].mean == pytest.approx(share * fixed.mean)
    assert found[-1].high - found[-1].low > share * (fixed.high - fixed.low)
