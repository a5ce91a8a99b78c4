"""Long clips: the video grows, an event does not, and questions and bounds are as exact as those of short ones."""

import numpy as np
import pytest

from intpv.flipbook.ceiling import blind, ceiling, miss_probability
from intpv.flipbook.question import KINDS
from intpv.flipbook.render import write
from intpv.flipbook.scene import LENGTHS, REGIMES
from intpv.flipbook.split import draw
from intpv.video.reader import decode
from intpv.video.sampling import Sampler, midpoint


@pytest.mark.parametrize("steps", LENGTHS)
def test_an_event_lasts_as_many_frames_whatever_the_length(steps, draw_many):
    lengths = {f.stop - f.start for scene, _ in draw_many(f"long{steps}", 60) for f in (*scene.flashes, *scene.cues)}
    assert lengths == {3, 4, 5, 6}
    assert all(scene.steps == steps and scene.change <= steps for scene, _ in draw_many(f"long{steps}", 5))


@pytest.mark.parametrize("regime", ["long64", "long256"])
def test_a_reader_who_sees_every_frame_agrees_with_every_answer(regime, draw_many, glimpses, read_off):
    steps = REGIMES[regime].steps
    for scene, questions in draw_many(regime, 3, stream=5):
        seen = glimpses(scene, range(steps))
        told = [read_off(question, range(steps), seen, steps // 8) for question in questions]
        assert told == [question.answer for question in questions]


def test_bounds_are_one_where_all_is_shown_and_fall_to_the_guess_where_nothing_is(draw_many):
    for scene, questions in draw_many("long512", 6, stream=6):
        for question in questions:
            everything = ceiling(scene, question, range(512))
            assert everything == pytest.approx(1), question
            few = ceiling(scene, question, midpoint(512, 8))
            assert blind(scene, question) <= few + 1e-9
    shares = [
        np.mean([ceiling(*pair, midpoint(512, frames)) for pair in _flashes(draw_many)]) for frames in (8, 64, 512)
    ]
    assert shares[0] < shares[1] < shares[2]


def _flashes(draw_many):
    pairs = [(scene, question) for scene, questions in draw_many("long512", 6, stream=6) for question in questions]
    return [(scene, question) for scene, question in pairs if question.kind in ("first", "count", "order", "when")]


@pytest.mark.parametrize("frames", [8, 64])
def test_misses_are_those_of_drawn_pulses(frames, draw_many):
    """Against a count over drawn scenes: 4 standard errors."""
    regime, times = REGIMES["long128"], tuple(midpoint(128, frames))
    flashes = [flash for scene, _ in draw_many("long128", 800, stream=7) for flash in scene.flashes if flash.slot == 3]
    missed = np.mean([flash.seen(times) == 0 for flash in flashes])
    told = miss_probability(regime, 3, times)
    assert abs(missed - told) <= 4 * np.sqrt(max(told * (1 - told), 1e-4) / len(flashes))


def test_a_split_has_every_kind_and_says_how_deep_its_needles_lie():
    clips = draw("long128", 4, seed=1)
    assert {question.kind for clip in clips for question in clip.questions} == set(KINDS)
    for clip in clips:
        for question in clip.questions:
            if question.kind in ("first", "last", "cause"):
                assert question.labels["depth"] == question.labels["start"] // 16 + 1


def test_a_film_has_as_many_frames_as_its_regime_says(tmp_path):
    (clip,) = draw("long64", 1, seed=1)
    video = decode(str(write(clip.scene, tmp_path / "long.mp4")), 64, Sampler("nested"))
    assert video.num_available == 64
    assert video.indices == tuple(range(64))
