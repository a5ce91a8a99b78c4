"""Text lessons: filler words with runs of colour words, lights and motion in words, up to the text window.

They teach the decoder the questions at every length it will know, before it has seen a picture.
"""

import numpy as np

from .lesson import Lesson, asked, flash_questions, light_question
from .question import Question
from .scene import COLORS, DIRECTIONS, LIGHTS, Pulse
from .vocabulary import FILLER, PACE


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
    questions = flash_questions(rng, runs)
    free = [i for i, word in enumerate(line) if word not in COLORS]
    if rng.random() < 0.9 and len(free) > 12:
        questions += _light_words(rng, line, free)
    free = [i for i in free if line[i] in FILLER]
    if rng.random() < 0.5 and len(free) > 6:
        questions += _motion_words(rng, line, free)
    return Lesson(" ".join(line), "", asked(rng, questions))


def _light_words(rng: np.random.Generator, line: list[str], free: list[int]) -> list[Question]:
    """A run of the culprit's word, then "corners" from there on; another light before the run or after the change."""
    culprit, idle = (str(light) for light in rng.permutation(LIGHTS)[:2])
    third = len(free) // 3
    begin = int(rng.integers(0, 2)) * third  # the culprit in the first or second third, the idle light in another one
    other = int(rng.choice([part * third for part in range(3) if part * third != begin]))
    for start, light in ((begin, culprit), (other, idle)):
        first = start + int(rng.integers(0, max(1, third // 2)))
        for place in free[first : first + 1 + int(rng.integers(0, max(1, third // 2)))]:
            line[place] = light
    for place in free[begin + third :]:
        if place == free[begin + third] or (line[place] != idle and rng.random() < 0.5):
            line[place] = "corners"
    seen = [light for light in (culprit, idle) if light in line]
    named = [light_question(rng, seen) for _ in range(3)]
    return [Question("cause", "Which light changed the corners?", culprit), *named]


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
