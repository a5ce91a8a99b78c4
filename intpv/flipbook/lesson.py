"""Training material for the mini model: endless, seeded by the step, never from the test split.

Text lessons: filler words with runs of colour words, lights and motion in words, up to the text window; they teach the
questions at every length.
Video lessons: eight frames of a scene, sampled from a window of log-uniform span (an eighth of the clip to all of it),
so that an event covers one to eight frames; answers are what the eight frames show.
"""

from dataclasses import dataclass

import numpy as np

from .caption import caption
from .question import Question, cause, draw_questions, order, when, when_changed
from .render import render
from .scene import COLORS, DIRECTIONS, LIGHTS, REGIMES, SLOT, STEPS, Pulse, Scene, draw_scene, travel
from .vocabulary import FILLER, PACE

FRAMES = 8
MOST_QUESTIONS = 10  # per lesson


@dataclass(frozen=True)
class Lesson:
    """A prefix in words, split where the video goes, and its questions; `pictures` is None for a text lesson."""

    before: str
    after: str
    questions: list[tuple[str, str, str]]  # kind, question, answer
    pictures: np.ndarray | None = None  # (8, h, w, 3) uint8
    caption: np.ndarray | None = None  # (8, 12), see caption.py


def _filler(rng: np.random.Generator, most: int) -> tuple[str, str]:
    """Words before and after the video: half the time none, else up to `most` in all."""
    length = int(rng.integers(0, most + 1)) if rng.random() < 0.5 else 0
    words, cut = rng.choice(FILLER, length), int(rng.integers(0, length + 1))
    return " ".join(words[:cut]), " ".join(words[cut:])


def _asked(rng: np.random.Generator, questions: list[Question]) -> list[tuple[str, str, str]]:
    """At most MOST_QUESTIONS of them, in random order."""
    chosen = rng.permutation(len(questions))[:MOST_QUESTIONS]
    return [(questions[i].kind, questions[i].text, questions[i].answer) for i in chosen]


def text_lesson(rng: np.random.Generator, longest: int) -> Lesson:
    """Runs of colour words between filler, `longest` words at most; half the time also lights, half the time motion."""
    count = int(rng.integers(1, 7))
    length = int(rng.integers(2 * count + 24, longest + 1))
    cuts = np.sort(rng.choice(np.arange(1, length), 2 * count, replace=False))
    line = rng.choice(FILLER, length).tolist()
    colors = [str(c) for c in rng.permutation(COLORS)[:count]]
    runs = []
    for color, start, stop in zip(colors, cuts[::2], cuts[1::2], strict=True):
        line[start:stop] = [color] * (stop - start)
        runs.append(Pulse(color, int(start), int(stop)))
    questions = _flash_questions(rng, runs)
    free = [i for i, word in enumerate(line) if word not in COLORS]
    if rng.random() < 0.5 and len(free) > 12:
        questions.append(_light_words(rng, line, free))
    free = [i for i in free if line[i] in FILLER]
    if rng.random() < 0.5 and len(free) > 6:
        questions += _motion_words(rng, line, free)
    return Lesson(" ".join(line), "", _asked(rng, questions))


def _light_words(rng: np.random.Generator, line: list[str], free: list[int]) -> Question:
    """The culprit's word, then "corners" from there on; another light before the culprit or after the change."""
    culprit, idle = (str(light) for light in rng.permutation(LIGHTS)[:2])
    at = int(rng.integers(3, len(free) - 3))  # place of the culprit among the free words
    before = rng.random() < 0.5
    other = int(rng.integers(0, at)) if before else int(rng.integers(at + 2, len(free)))
    for place in free[at + 1 :]:
        if place == free[at + 1] or rng.random() < 0.5:
            line[place] = "corners"
    line[free[at]], line[free[other]] = culprit, idle
    return Question("cause", "Which light changed the corners?", culprit)


def _motion_words(rng: np.random.Generator, line: list[str], free: list[int]) -> list[Question]:
    """A direction and a pace on some of the free words; the pace changes on the way."""
    direction, faster = str(rng.choice(list(DIRECTIONS))), rng.random() < 0.5
    paces = PACE if faster else PACE[::-1]
    switch = int(rng.integers(3, len(free) - 2))
    for number, place in enumerate(free):
        line[place] = paces[number >= switch] if rng.random() < 0.5 else direction
    return [
        Question("direction", "Which way did the square move?", direction),
        Question("speed", "Did the square get faster or slower?", "faster" if faster else "slower"),
    ]


def _flash_questions(rng: np.random.Generator, flashes: list[Pulse]) -> list[Question]:
    if not flashes:
        return []
    shown = [flash.what for flash in flashes]
    absent = [color for color in COLORS if color not in shown]
    questions = [
        Question("first", "Which color flashed first?", shown[0]),
        Question("last", "Which color flashed last?", shown[-1]),
        Question("count", "How many flashes were there?", str(len(shown))),
        Question("presence", f"Did {rng.choice(shown)} flash?", "yes"),
        Question("presence", f"Did {rng.choice(absent)} flash?", "no"),
    ]
    for _ in range(2 * (len(shown) > 1)):
        one, other = rng.choice(len(shown), 2, replace=False)
        questions.append(order(flashes[one], flashes[other]))
    return questions


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
    return Lesson(*_filler(rng, filler), _asked(rng, questions), render(scene, times), caption(scene, times))


def _window_questions(rng: np.random.Generator, scene: Scene, times: list[int]) -> list[Question]:
    """What the frames at `times` can answer."""
    shown = [flash for flash in scene.flashes if flash.seen(times)]
    questions = _flash_questions(rng, shown)
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
