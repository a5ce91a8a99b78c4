"""A picture shows exactly what the scene says, and nothing of it can be mistaken for something else."""

import numpy as np
import pytest

from intpv.flipbook.render import draw, render
from intpv.flipbook.scene import STEPS, TORUS, Mover, Pulse, Scene


def test_pixels_tell_every_step_of_a_scene(regime, draw_many, glimpses):
    ((scene, _),) = draw_many(regime, 1, stream=1)
    for step, glimpse in enumerate(glimpses(scene, range(STEPS))):
        on = [flash.what for flash in scene.flashes if flash.seen([step])]
        assert glimpse.color == (on[0] if on else None)
        assert glimpse.lights == {cue.what for cue in scene.cues if cue.seen([step])}
        assert glimpse.white_corners == (step >= scene.change)
        assert glimpse.place == scene.mover.place(step)


@pytest.mark.parametrize("white", [False, True])
def test_every_place_of_the_mover_is_told_even_under_the_corners(white, look):
    for origin in [(68, 68), (0, 0), (57, 79), (79, 3), (64, 72), (40, 40), (72, 10)]:
        mover = Mover("left", (0, 0), STEPS, origin)
        cues = (Pulse("north", 32, 40), Pulse("south", 64, 70))
        assert look(draw(Scene("slow", (), (), mover, cues, 30), 200 if white else 0)).place == origin


def test_the_mover_leaves_on_one_side_and_enters_on_the_other():
    cues = (Pulse("north", 32, 40), Pulse("south", 64, 70))
    still = [Scene("slow", (), (), Mover("left", (0, 0), 1, (x, 30)), cues, 30) for x in (75, 75 - TORUS)]
    assert np.array_equal(draw(still[0], 100), draw(still[1], 100))


def test_a_disc_is_no_flash(draw_many, look):
    for scene, _ in draw_many("slow", 20, stream=2):
        for disc, *_ in scene.discs:
            flashing = [flash.what for flash in scene.flashes if flash.seen([disc.start])]
            assert look(draw(scene, disc.start)).color == (flashing[0] if flashing else None)


def test_pictures_come_in_the_order_asked_for(draw_many):
    ((scene, _),) = draw_many("fast", 1)
    shown = render(scene, [200, 3])
    assert np.array_equal(shown[0], draw(scene, 200))
    assert np.array_equal(shown[1], draw(scene, 3))
