"""What the published generator promises of every scene, and that training never meets a test scene."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from intpv.flipbook.scene import DIRECTIONS, INNER_SLOTS, REGIMES, SLOT, STEPS, TORUS, TRAIN_STREAM, draw_scene


@pytest.fixture(scope="module")
def scenes(draw_many):
    return {regime: [scene for scene, _ in draw_many(regime, 1000, stream=3)] for regime in REGIMES}


@pytest.mark.slow
def test_every_pulse_lies_within_one_inner_slot_and_lasts_as_its_regime_says(scenes, regime):
    shortest, longest = REGIMES[regime].durations
    for scene in scenes[regime]:
        for pulse in (*scene.flashes, *scene.cues, *(disc for disc, *_ in scene.discs)):
            assert pulse.slot in INNER_SLOTS
            assert pulse.stop <= (pulse.slot + 1) * SLOT
            assert shortest <= pulse.stop - pulse.start <= longest


def test_flashes_and_cues_have_their_own_slots_and_names(scenes, regime):
    for scene in scenes[regime]:
        for track in (scene.flashes, scene.cues):
            assert len({pulse.slot for pulse in track}) == len({pulse.what for pulse in track}) == len(track)
        assert list(scene.flashes) == sorted(scene.flashes, key=lambda flash: flash.start)
        assert 0 < scene.change < STEPS


def test_what_the_posterior_takes_as_uniform_is_uniform(scenes, regime):
    drawn = scenes[regime]
    draws = {
        "count": [len(scene.flashes) for scene in drawn],
        "flash slot": [flash.slot for scene in drawn for flash in scene.flashes],
        "color": [scene.flashes[0].what for scene in drawn],
        "cause slot": [scene.cues[0].slot for scene in drawn],
        "cause": [scene.cues[0].what for scene in drawn],
        "ways to move": [(scene.mover.direction, min(scene.mover.speeds), scene.mover.switch) for scene in drawn],
        "speed": [scene.mover.speeds[0] < scene.mover.speeds[1] for scene in drawn],
        "duration": [scene.cues[1].stop - scene.cues[1].start for scene in drawn],
    }
    for name, values in draws.items():
        assert chisquare(list(Counter(values).values())).pvalue > 1e-4, name


def test_one_frame_tells_nothing_of_the_direction(scenes, regime):
    """The mover's place is uniform on the torus at every step, whichever way it goes."""
    for step in (2, 130, 254):
        for direction in DIRECTIONS:
            places = [scene.mover.place(step) for scene in scenes[regime] if scene.mover.direction == direction]
            for axis in (0, 1):
                eighths = np.bincount([place[axis] * 8 // TORUS for place in places], minlength=8)
                assert chisquare(eighths).pvalue > 1e-4


def test_the_mover_meets_three_patches_wherever_it_starts_and_never_jumps(scenes, regime):
    for scene in scenes[regime][:200]:
        places = np.array([scene.mover.place(t) for t in range(STEPS)])
        steps = (np.diff(places, axis=0) + TORUS // 2) % TORUS - TORUS // 2
        assert np.abs(steps).max() <= 7  # px per step
        assert np.abs(steps.sum(0)).max() > 2 * 32  # px; the mini's patches are 16 of 48, so 32 of 96


@pytest.mark.slow
def test_the_test_split_shares_no_scene_with_training(regime, split):
    tested = {clip.scene for clip in split(regime)}
    streams = [[TRAIN_STREAM, seed, step, index] for seed in range(2) for step in range(25) for index in range(20)]
    trained = {draw_scene(np.random.default_rng(stream), REGIMES[regime]) for stream in streams}
    assert len(tested) == 60
    assert len(trained) == len(streams)
    assert not tested & trained
