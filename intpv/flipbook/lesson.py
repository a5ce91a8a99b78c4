"""Lesson: a prefix and its questions, what the mini model is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from .question import Question, cause, draw_questions, order, when, when_changed
from .render import render
from .scene import COLORS, DIRECTIONS, LIGHTS, REGIMES, SLOT, STEPS, TORUS, Pulse, Scene, draw_scene, travel
from .vocabulary import FILLER, PACE

MOST_QUESTIONS = 10  # per lesson


@dataclass(frozen=True)
class Lesson:
    """A prefix in words, split where the video goes, and its questions; `pictures` is None for a text lesson."""

    before: str
    after: str
    questions: list[tuple[str, str, str]]  # kind, question, answer
    pictures: np.ndarray | None = None  # (8, h, w, 3) uint8
    caption: np.ndarray | None = None  # (8, 12): what is seen, as text


def asked(rng: np.random.Generator, questions: Sequence[Question]) -> list[tuple[str, str, str]]:
    """At most MOST_QUESTIONS of them, in random order."""
    chosen = rng.permutation(len(questions))[:MOST_QUESTIONS]
    return [(questions[i].kind, questions[i].text, questions[i].answer) for i in chosen]


def flash_questions(rng: np.random.Generator, flashes: Sequence[Pulse]) -> list[Question]:
    """What can be asked of flashes in order of time; nothing of none."""
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
    return questions + rank_questions(rng, flashes)


def rank_questions(rng: np.random.Generator, flashes: Sequence[Pulse]) -> list[Question]:
    """How many flashes came before one, of two that were not the first; asked in training alone: whoever finds a
    colour's rank can compare two of them, and without these questions `order` may stay at chance."""
    some = rng.permutation(np.arange(1, len(flashes)))[:2]
    return [Question("rank", f"How many flashes were there before {flashes[i].what}?", str(i)) for i in some]


def light_questions(rng: np.random.Generator, seen: Sequence[str]) -> list[Question]:
    """Of the lights in order of time; asked in training alone: a light must be known by name before it can be known as
    a cause. Which came first and last teaches the four names, as the same questions teach those of the colours."""
    unseen = [light for light in LIGHTS if light not in seen]
    answer = "yes" if seen and rng.random() < 0.5 else "no"
    questions = [Question("light", f"Did the {rng.choice(seen if answer == 'yes' else unseen)} light change?", answer)]
    if seen:
        questions.append(Question("first light", "Which light changed first?", seen[0]))
        questions.append(Question("last light", "Which light changed last?", seen[-1]))
    return questions


# Text lessons: filler words with runs of colour words, lights and motion in words, up to the text window.
#
# They teach the decoder the questions at every length it will know, before it has seen a picture.


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
    seen = list(dict.fromkeys(word for word in line if word in LIGHTS))
    return [Question("cause", "Which light changed the corners?", culprit), *light_questions(rng, seen)]


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


# Captions: what each frame of a training clip shows, as targets of a linear read-out beside the answers' loss.
#
# Answers alone teach the tower motion and lights very late or not at all; a read-out of every frame's content does so
# early, as language alignment does for LanguageBind. It is trained with the model and then thrown away.


WAYS = 11  # bins of the way to the next frame, for each axis: a class is learnt sooner than a number
WIDTH = (len(COLORS) + 1) + (len(LIGHTS) + 1) + 4 + 2 * WAYS  # channels of the read-out


def caption(scene: Scene, times) -> Float[np.ndarray, "F 12"]:
    """Per frame: colour index (0: none), four lights, corners, sine and cosine of the mover's place, bin of its way.

    The way leads to the next frame's place, the last frame's is that of the one before.
    """
    turn = 2 * np.pi / TORUS
    places = np.array([scene.mover.place(t) for t in times])
    way = (np.diff(places, axis=0) + TORUS / 2) % TORUS - TORUS / 2  # the shortest way on the torus, px
    way = (np.concatenate([way, way[-1:]]) + TORUS / 2) * WAYS // TORUS
    rows = []
    for t, place, step in zip(times, places, way, strict=True):
        color = next((COLORS.index(f.what) + 1 for f in scene.flashes if f.start <= t < f.stop), 0)
        lights = [any(c.what == light and c.start <= t < c.stop for c in scene.cues) for light in LIGHTS]
        rows.append([color, *lights, t >= scene.change, *np.sin(turn * place), *np.cos(turn * place), *step])
    return np.array(rows, np.float32)


def caption_loss(read: Float[Tensor, "frames 40"], target: Float[Tensor, "frames 12"]) -> Float[Tensor, ""]:
    """Cross entropy of colour and way, binary cross entropy of lights and corners, squared error of the place."""
    sizes = [len(COLORS) + 1, len(LIGHTS) + 1, 4, WAYS, WAYS]
    color, switches, place, along_x, along_y = read.float().split(sizes, dim=-1)
    seen, on, where, way = target.split([1, len(LIGHTS) + 1, 4, 2], dim=-1)
    return (
        cross_entropy(color, seen[:, 0].long())
        + binary_cross_entropy_with_logits(switches, on)
        + mse_loss(place, where)
        + 0.5 * cross_entropy(along_x, way[:, 0].long())
        + 0.5 * cross_entropy(along_y, way[:, 1].long())
    )


def readout(tokens_per_frame: int, width: int) -> torch.nn.Module:
    """(frames, P * D) -> (frames, WIDTH)"""
    return torch.nn.Linear(tokens_per_frame * width, WIDTH)


# Video lessons: eight frames of a scene, from a window of log-uniform span (an eighth of the clip to all of it).
#
# So an event covers one to eight frames, and the tower meets every clip speed; answers are what the eight frames show.


FRAMES = 8


def video_lesson(rng: np.random.Generator, filler: int) -> Lesson:
    """Eight frames of a window into a scene; half of the windows are whole clips of slow events, as in the test."""
    if rng.random() < 0.5:
        scene, times = draw_scene(rng, REGIMES["slow"]), list(range(SLOT // 2, STEPS, SLOT))
        questions = draw_questions(rng, scene)
        questions.append(when_changed(scene))
        if len(scene.flashes) > 1:
            one, other = rng.choice(len(scene.flashes), 2, replace=False)
            questions += [order(scene.flashes[one], scene.flashes[other]), when(scene.flashes[one])]
        questions += rank_questions(rng, scene.flashes)
    else:
        scene = draw_scene(rng, REGIMES[str(rng.choice(list(REGIMES)))])
        span = STEPS / 8 * 8 ** rng.random()
        begin = rng.random() * (STEPS - span)
        times = [int(begin + (i + 0.5) * span / FRAMES) for i in range(FRAMES)]
        questions = _window_questions(rng, scene, times)
    cues = sorted((cue for cue in scene.cues if cue.seen(times)), key=lambda cue: cue.start)
    questions += light_questions(rng, [cue.what for cue in cues])
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
