"""Video lessons: eight frames of a scene, from a window of log-uniform span (an eighth of the clip to all of it).

So an event covers one to eight frames, and the tower meets every clip speed; answers are what the eight frames show.
"""

import numpy as np

from .caption import caption
from .lesson import Lesson, asked, flash_questions, light_question
from .question import Question, cause, draw_questions, order, when, when_changed
from .render import render
from .scene import REGIMES, SLOT, STEPS, Scene, draw_scene, travel
from .vocabulary import FILLER

FRAMES = 8


def video_lesson(rng: np.random.Generator, filler: int) -> Lesson:
    """Eight frames of a window into a scene; half of the windows are whole clips of slow events, as in the test."""
    if rng.random() < 0.5:
        scene, times = draw_scene(rng, REGIMES["slow"]), range(SLOT // 2, STEPS, SLOT)
        questions = draw_questions(rng, scene)
        questions.append(when_changed(scene))
        if len(scene.flashes) > 1:
            one, other = rng.choice(len(scene.flashes), 2, replace=False)
            questions += [order(scene.flashes[one], scene.flashes[other]), when(scene.flashes[one])]
    else:
        scene = draw_scene(rng, REGIMES[str(rng.choice(list(REGIMES)))])
        span = STEPS / 8 * 8 ** rng.random()
        begin = rng.random() * (STEPS - span)
        times = [int(begin + (i + 0.5) * span / FRAMES) for i in range(FRAMES)]
        questions = _window_questions(rng, scene, times)
    questions.append(light_question(rng, [cue.what for cue in scene.cues if cue.seen(times)]))
    return Lesson(*_filler(rng, filler), asked(rng, questions), render(scene, times), caption(scene, times))


def _window_questions(rng: np.random.Generator, scene: Scene, times: list[int]) -> list[Question]:
    """What the frames at `times` can answer."""
    shown = [flash for flash in scene.flashes if flash.seen(times)]
    questions = flash_questions(rng, shown)
    for flash in shown:
        if flash.seen(times) == 1:
            eighth = next(i for i, t in enumerate(times) if flash.start <= t < flash.stop)
            questions.append(Question("when", f"In which eighth did {flash.what} flash?", str(eighth + 1)))
            break
    mover = scene.mover
    places = travel(*mover.speeds, mover.switch, np.array(times))
    steps = np.diff(places)
    if steps.max() <= 32 and places[-1] - places[0] >= 16:  # px: neither aliased on the torus nor standing still
        questions.append(Question("direction", "Which way did the square move?", mover.direction))
        early, late = steps[:2].mean(), steps[-2:].mean()
        if abs(early - late) > 4 and times[2] <= mover.switch <= times[-3]:
            answer = "faster" if late > early else "slower"
            questions.append(Question("speed", "Did the square get faster or slower?", answer))
    if scene.cues[0].seen(times) and times[-1] >= scene.change:
        questions.append(cause(scene))
    return questions


def _filler(rng: np.random.Generator, most: int) -> tuple[str, str]:
    """Words before and after the video: half the time none, else up to `most` in all."""
    length = int(rng.integers(0, most + 1)) if rng.random() < 0.5 else 0
    words, cut = rng.choice(FILLER, length), int(rng.integers(0, length + 1))
    return " ".join(words[:cut]), " ".join(words[cut:])
