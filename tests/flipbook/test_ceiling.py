"""The posterior: a probability, never worse for seeing more, blind without frames, exact where all is seen."""

from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest

from intpv.flipbook.ceiling import blind, ceiling, miss_probability, posterior
from intpv.flipbook.question import cause, motion, when_changed
from intpv.flipbook.scene import DIRECTIONS, REGIMES, SLOT, TORUS, Mover, Pulse, Scene
from intpv.video.sampling import linspace, midpoint

CHANCE = {
    "first": 8,
    "last": 8,
    "count": 6,
    "presence": 2,
    "direction": 4,
    "speed": 2,
    "order": 2,
    "when": 6,
    "cause": 4,
}


@pytest.fixture(scope="module")
def asked(draw_many):
    """(scene, question) pairs of both regimes."""
    drawn = [pair for regime in ("slow", "fast") for pair in draw_many(regime, 8, stream=11)]
    return [(scene, question) for scene, questions in drawn for question in questions]


@pytest.mark.parametrize("frames", [(), (16,), (20, 90, 150), tuple(linspace(256, 8)), tuple(midpoint(256, 32))])
def test_beliefs_are_probabilities_of_the_options_and_allow_what_happened(asked, frames):
    for scene, question in asked:
        beliefs = posterior(scene, question, frames)
        assert set(beliefs) <= set(question.options)
        assert sum(beliefs.values()) == pytest.approx(1)
        assert beliefs[question.answer] > 0


def test_blind_is_one_over_the_possible_answers(asked):
    """Six eighths can be asked for; a named colour tells nothing about the rest."""
    for scene, question in asked:
        assert blind(scene, question) == pytest.approx(1 / CHANCE[question.kind])


def test_seeing_more_helps_on_average_and_never_falls_below_blind(draw_many):
    """For one clip a glimpse may raise doubts; the mean over clips may not fall when frames are added."""
    nested = [tuple(range(offset, 256, gap)) for offset, gap in ((16, 32), (0, 16), (0, 8))]
    means = defaultdict(list)
    for scene, questions in draw_many("fast", 100, stream=12):
        for question in questions:
            tops = [blind(scene, question), *(ceiling(scene, question, frames) for frames in nested)]
            assert min(tops) >= tops[0] - 1e-9
            means[question.kind].append(tops)
    for kind, tops in means.items():
        gain = np.diff(tops, axis=1)
        error = gain.std(0) / np.sqrt(len(tops))
        assert (gain.mean(0) > -3 * error - 1e-9).all(), kind


def test_frames_that_add_nothing_change_nothing(asked):
    times = midpoint(256, 8)
    for scene, question in asked:
        assert ceiling(scene, question, [*times, *reversed(times)]) == ceiling(scene, question, times)


def test_slow_events_are_certain_with_eight_frames(draw_many, times):
    for scene, questions in draw_many("slow", 30, stream=13):
        for question in questions:
            assert posterior(scene, question, times)[question.answer] == pytest.approx(1)


def test_everything_is_certain_when_all_is_seen(asked):
    for scene, question in asked:
        assert posterior(scene, question, range(256))[question.answer] == pytest.approx(1)


def test_miss_probability_is_the_share_of_pulses_that_no_sampled_step_meets(regime, draw_many):
    frames = (37, 40, 70, 110, 150, 151, 200)
    met, seen = Counter(), Counter()
    for scene, _ in draw_many(regime, 1500, stream=14):
        for pulse in (*scene.flashes, *scene.cues):
            met[pulse.slot] += 1
            seen[pulse.slot] += bool(pulse.seen(frames))
    for slot, number in met.items():
        missed = miss_probability(REGIMES[regime], slot, frames)
        assert abs(1 - seen[slot] / number - missed) <= 3.5 * np.sqrt(missed * (1 - missed) / number)


def test_lights_tell_when_the_corners_changed_and_corners_tell_the_light():
    """North blinks in the fifth eighth, at whose end the corners change; east has blinked unseen."""
    cues = Pulse("north", 4 * SLOT + 4, 5 * SLOT - 2), Pulse("east", 36, 60)
    scene = Scene("slow", (), (), Mover("left", (6, 20), REGIMES["slow"].switches[0], (0, 0)), cues, 30)
    north, white = 4 * SLOT + 16, 6 * SLOT
    changed, culprit = when_changed(scene), cause(scene)
    assert posterior(scene, changed, [north, white])["6"] > posterior(scene, changed, [white])["6"]
    assert posterior(scene, culprit, [north, white])["north"] > posterior(scene, culprit, [north])["north"]


@pytest.mark.parametrize("frames", [(), (100,), (30, 60), midpoint(256, 8), midpoint(256, 16)], ids=len)
def test_motion_agrees_with_moving_every_mover(regime, frames):
    """An enumeration of its own: all of the generator's movers, grouped by the places they show."""
    low, high = REGIMES[regime].low, REGIMES[regime].high
    movers = [
        Mover(direction, speeds, switch, (7, 33))
        for direction, switch in product(DIRECTIONS, REGIMES["slow"].switches)
        for speeds in [*product(low, high), *product(high, low)]
    ]
    shown = defaultdict(list)
    for mover in movers:
        shown[_way(mover, frames)].append(mover)
    rng = np.random.default_rng(0)
    for key in rng.permutation(len(shown))[:60]:
        alike = list(shown.values())[key]
        scene = Scene(regime, (), (), alike[0], (Pulse("north", 40, 42), Pulse("east", 70, 72)), 30)
        for question in motion(scene):
            answers = Counter(_answer(question.kind, mover) for mover in alike)
            beliefs = posterior(scene, question, frames)
            assert beliefs == pytest.approx({option: answers[option] / len(alike) for option in question.options})


def _way(mover: Mover, frames) -> bytes:
    places = np.array([mover.place(t) for t in frames]).reshape(-1, 2)
    return ((places - places[:1]) % TORUS).tobytes()


def _answer(kind: str, mover: Mover) -> str:
    return mover.direction if kind == "direction" else "faster" if mover.speeds[1] > mover.speeds[0] else "slower"
