"""Lesson: a prefix and its questions, what the mini model is trained on; see text_lesson.py and video_lesson.py."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .question import Question, order
from .scene import COLORS, LIGHTS, Pulse

MOST_QUESTIONS = 10  # per lesson


@dataclass(frozen=True)
class Lesson:
    """A prefix in words, split where the video goes, and its questions; `pictures` is None for a text lesson."""

    before: str
    after: str
    questions: list[tuple[str, str, str]]  # kind, question, answer
    pictures: np.ndarray | None = None  # (8, h, w, 3) uint8
    caption: np.ndarray | None = None  # (8, 12), see caption.py


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
    return questions


def light_question(rng: np.random.Generator, seen: Sequence[str]) -> Question:
    """Asked in training alone: a light must be known by name before it can be known as a cause."""
    unseen = [light for light in LIGHTS if light not in seen]
    answer = "yes" if seen and rng.random() < 0.5 else "no"
    return Question("light", f"Did the {rng.choice(seen if answer == 'yes' else unseen)} light change?", answer)
