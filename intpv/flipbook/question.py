"""The ten questions of a clip: drawn from the scene alone, so they are the same for every number of frames."""

from dataclasses import dataclass, field

import numpy as np

from .scene import COLORS, DIRECTIONS, LIGHTS, SLOT, Scene

EIGHTHS = tuple("12345678")
OPTIONS = {
    "first": COLORS,
    "last": COLORS,
    "count": tuple("123456"),
    "presence": ("yes", "no"),
    "direction": tuple(DIRECTIONS),
    "speed": ("faster", "slower"),
    "order": ("before", "after"),
    "when": EIGHTHS,
    "cause": LIGHTS,
}
KINDS = tuple(OPTIONS)


@dataclass(frozen=True)
class Question:
    kind: str
    text: str
    answer: str
    about: tuple[str, ...] = ()  # colours named in the text, in order; ("corners",) for their change
    labels: dict = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        return OPTIONS[self.kind]


def first_last_count(scene: Scene) -> list[Question]:
    flashes = scene.flashes
    return [
        Question("first", "Which color flashed first?", flashes[0].what, labels=_duration(flashes[0])),
        Question("last", "Which color flashed last?", flashes[-1].what, labels=_duration(flashes[-1])),
        Question("count", "How many flashes were there?", str(len(flashes)), labels={"distractors": len(scene.discs)}),
    ]


def presence(color: str, answer: str, scene: Scene) -> Question:
    labels = {"hard_negative": any(disc.what == color for disc, *_ in scene.discs)} if answer == "no" else {}
    return Question("presence", f"Did {color} flash?", answer, (color,), labels)


def motion(scene: Scene) -> list[Question]:
    first, second = scene.mover.speeds
    labels = {"speeds": [first, second]}  # px per eighth
    return [
        Question("direction", "Which way did the square move?", scene.mover.direction, labels=labels),
        Question(
            "speed", "Did the square get faster or slower?", "faster" if second > first else "slower", labels=labels
        ),
    ]


def order(first, second) -> Question:
    answer = "before" if first.start < second.start else "after"
    return Question(
        "order",
        f"Did {first.what} flash before or after {second.what}?",
        answer,
        (first.what, second.what),
        {"distance": abs(first.slot - second.slot), **_duration(min(first, second, key=lambda p: p.stop - p.start))},
    )


def when(flash) -> Question:
    text = f"In which eighth did {flash.what} flash?"
    return Question("when", text, EIGHTHS[flash.slot], (flash.what,), _duration(flash))


def when_changed(scene: Scene) -> Question:
    text = "In which eighth did the corners change?"
    return Question("when", text, EIGHTHS[scene.change // SLOT], ("corners",))


def cause(scene: Scene) -> Question:
    culprit, idle = scene.cues
    labels = {"distance": idle.slot - culprit.slot, **_duration(culprit)}
    return Question("cause", "Which light changed the corners?", culprit.what, labels=labels)


def _duration(pulse) -> dict:
    return {"duration": pulse.stop - pulse.start, "start": pulse.start}  # steps


def draw_questions(rng: np.random.Generator, scene: Scene) -> list[Question]:
    """Ten questions: each kind once and presence twice (once yes, once no).

    A clip with a single flash has no pair to order: it is asked when its corners changed instead.
    """
    shown = [flash.what for flash in scene.flashes]
    absent = [color for color in COLORS if color not in shown]
    questions = first_last_count(scene)
    questions += [
        presence(str(rng.choice(shown)), "yes", scene),
        presence(str(rng.choice(absent)), "no", scene),
        *motion(scene),
    ]
    if len(shown) > 1:
        one, other = rng.choice(len(shown), 2, replace=False)
        questions.append(order(scene.flashes[one], scene.flashes[other]))
    else:
        questions.append(when_changed(scene))
    questions += [when(scene.flashes[rng.integers(len(shown))]), cause(scene)]
    return questions
