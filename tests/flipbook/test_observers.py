"""The law flipbook rests on: nobody beats the ceiling with the sampled frames alone, and one frame tells nothing."""

from collections import defaultdict

import numpy as np
import pytest

from intpv.flipbook.ceiling import ceiling, posterior
from intpv.flipbook.question import Question
from intpv.flipbook.scene import Scene
from intpv.video.sampling import midpoint

HONEST = ("count", "direction", "speed", "order", "when", "cause")  # kinds that one frame must not answer


@pytest.fixture(scope="module")
def asked(split):
    """All 1200 questions of the test split with their scenes."""
    clips = [clip for regime in ("slow", "fast") for clip in split(regime)]
    return [(clip.scene, question) for clip in clips for question in clip.questions]


@pytest.fixture(scope="module")
def watched(split, glimpses):
    """Every clip of the test split, what 16 of its pictures show, and each question's ceiling: once for all views."""
    times = midpoint(256, 16)
    clips = [clip for regime in ("slow", "fast") for clip in split(regime)]
    tops = [[ceiling(clip.scene, question, times) for question in clip.questions] for clip in clips]
    return times, [(clip, glimpses(clip.scene, times), top) for clip, top in zip(clips, tops, strict=True)]


def best(scene: Scene, question: Question, times) -> str:
    beliefs = posterior(scene, question, times)
    return max(beliefs, key=beliefs.get)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [8, 64])
def test_one_frame_or_none_shows_no_skill_on_the_test_split(asked, frames):
    """The best answers to nothing, the first and the last of the frames sampled, against what all of them can tell."""
    times = midpoint(256, frames)
    sums = defaultdict(lambda: np.zeros(5))
    for scene, question in asked:
        if question.kind in HONEST:
            beliefs = [posterior(scene, question, shown) for shown in ((), times[:1], times[-1:])]
            right = [max(belief, key=belief.get) == question.answer for belief in beliefs]
            sums[question.kind] += *right, ceiling(scene, question, times), max(beliefs[0].values())
    assert set(sums) == set(HONEST)
    for kind, (*right, high, low) in sums.items():
        assert max((np.array(right) - low) / (high - low)) < 0.15, kind


def test_the_first_and_last_frame_leave_every_answer_as_it_was(draw_many, times):
    """Not only on this split: what they show changes no belief at all."""
    for regime in ("slow", "fast"):
        for scene, questions in draw_many(regime, 10, stream=30):
            for question in questions:
                for shown in (times[:1], times[-1:]):
                    assert posterior(scene, question, shown) == pytest.approx(posterior(scene, question, []))


def _in_order(rng, times, glimpses):
    return times, glimpses


def _shuffled(rng, times, glimpses):
    return times, [glimpses[i] for i in rng.permutation(len(times))]


def _reversed(rng, times, glimpses):
    return times, glimpses[::-1]


def _half_of_them(rng, times, glimpses):
    kept = np.sort(rng.choice(len(times), len(times) // 2, replace=False))
    return [times[i] for i in kept], [glimpses[i] for i in kept]


@pytest.mark.slow
@pytest.mark.parametrize("view", [_in_order, _shuffled, _reversed, _half_of_them])
def test_no_reader_of_sampled_pictures_beats_the_ceiling(watched, read_off, view):
    """Pictures and a plain reading, no posterior; 60 questions or more for each regime and kind."""
    rng, (times, clips) = np.random.default_rng(0), watched
    right, tops = defaultdict(list), defaultdict(list)
    for clip, seen, highest in clips:
        shown = view(rng, times, seen)
        for question, top in zip(clip.questions, highest, strict=True):
            right[clip.scene.regime, question.kind].append(read_off(question, *shown) == question.answer)
            tops[clip.scene.regime, question.kind].append(top)
    for key, hits in right.items():
        expected = np.array(tops[key])
        error = np.sqrt((expected * (1 - expected)).sum()) / len(hits)
        assert np.mean(hits) <= expected.mean() + 3 * error + 1e-9, key


@pytest.mark.slow
def test_a_perfect_observer_of_half_the_frames_stays_below_the_ceiling_of_all(draw_many):
    """And one of all frames reaches it: the posterior's own answers, on fresh draws."""
    rng, times = np.random.default_rng(1), midpoint(256, 16)
    hits, half_hits, tops = [], [], []
    for scene, questions in draw_many("fast", 100, stream=31):
        half = rng.choice(times, len(times) // 2, replace=False).tolist()
        for question in questions:
            hits.append(best(scene, question, times) == question.answer)
            half_hits.append(best(scene, question, half) == question.answer)
            tops.append(ceiling(scene, question, times))
    expected = np.array(tops)
    error = np.sqrt((expected * (1 - expected)).sum()) / len(tops)
    assert abs(np.mean(hits) - expected.mean()) < 3 * error
    assert np.mean(half_hits) < expected.mean() + 3 * error
