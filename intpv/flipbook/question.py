"""The ten questions of a clip: drawn from the scene alone, so they are the same for every number of frames."""

from dataclasses import dataclass, field

import numpy as np

from .scene import COLORS, DIRECTIONS, LIGHTS, REGIMES, Pulse, Scene

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
    """A question of a clip, one of KINDS, and its answer, one of the kind's options."""

    kind: str
    text: str
    answer: str
    about: tuple[str, ...] = ()  # colours named in the text, in order; ("corners",) for their change
    labels: dict = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        return OPTIONS[self.kind]


def first_last_count(scene: Scene) -> list[Question]:
    """The colours of the first and the last flash, and how many there were (1 to 6); discs do not count."""
    flashes = scene.flashes
    return [
        Question("first", "Which color flashed first?", flashes[0].what, labels=_duration(flashes[0])),
        Question("last", "Which color flashed last?", flashes[-1].what, labels=_duration(flashes[-1])),
        Question("count", "How many flashes were there?", str(len(flashes)), labels={"distractors": len(scene.discs)}),
    ]


def presence(color: str, answer: str, scene: Scene) -> Question:
    """Whether a colour flashed, yes or no; a no is a hard negative where a disc of that colour is shown."""
    labels = {"hard_negative": any(disc.what == color for disc, *_ in scene.discs)} if answer == "no" else {}
    return Question("presence", f"Did {color} flash?", answer, (color,), labels)


def motion(scene: Scene) -> list[Question]:
    """Which way the square moves, and whether it is faster or slower after its one change of speed."""
    first, second = scene.mover.speeds
    labels = {"speeds": [first, second]}  # px per eighth
    return [
        Question("direction", "Which way did the square move?", scene.mover.direction, labels=labels),
        Question(
            "speed", "Did the square get faster or slower?", "faster" if second > first else "slower", labels=labels
        ),
    ]


def order(first, second) -> Question:
    """Whether one flash came before or after another; labels tell how many eighths lie between them."""
    answer = "before" if first.start < second.start else "after"
    return Question(
        "order",
        f"Did {first.what} flash before or after {second.what}?",
        answer,
        (first.what, second.what),
        {"distance": abs(first.slot - second.slot), **_duration(min(first, second, key=lambda p: p.stop - p.start))},
    )


def when(flash) -> Question:
    """In which eighth of the clip, 1 to 8, a flash was."""
    text = f"In which eighth did {flash.what} flash?"
    return Question("when", text, EIGHTHS[flash.slot], (flash.what,), _duration(flash))


def when_changed(scene: Scene) -> Question:
    """In which eighth of the clip, 1 to 8, the corners turned white."""
    text = "In which eighth did the corners change?"
    return Question("when", text, EIGHTHS[scene.change // REGIMES[scene.regime].slot], ("corners",))


def cause(scene: Scene) -> Question:
    """Which light was the cause; `distance` is how many eighths after it the other one came, negative before it."""
    culprit, idle = scene.cues
    labels = {"distance": idle.slot - culprit.slot, **_duration(culprit)}
    return Question("cause", "Which light changed the corners?", culprit.what, labels=labels)


def _duration(pulse) -> dict:
    return {"duration": pulse.stop - pulse.start, "start": pulse.start, "depth": pulse.slot + 1}  # steps, and an eighth


def draw_questions(rng: np.random.Generator, scene: Scene) -> list[Question]:
    """Ten questions: each kind once and presence twice (once yes, once no, in a drawn order).

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
    if rng.random() < 0.5:  # or a question's place would tell its answer
        yes, no = (i for i, question in enumerate(questions) if question.kind == "presence")
        questions[yes], questions[no] = questions[no], questions[yes]
    return questions


# The events that a question is about, so that its duration and footprint can be told.


def events(scene: Scene, question: Question) -> tuple[Pulse, ...]:
    """None for a colour that never flashed; a motion lasts the whole clip, its change of speed has two phases."""
    if question.about == ("corners",):
        return (Pulse("corners", scene.change, scene.steps),)
    if question.about:
        return tuple(flash for flash in scene.flashes if flash.what in question.about)
    switch = scene.mover.switch
    return {
        "first": scene.flashes[:1],
        "last": scene.flashes[-1:],
        "count": scene.flashes,
        "direction": (Pulse("square", 0, scene.steps),),
        "speed": (Pulse("square", 0, switch), Pulse("square", switch, scene.steps)),
        "cause": scene.cues[:1],
    }[question.kind]


def shortest(scene: Scene, question: Question) -> Pulse | None:
    """The one of them that is easiest to miss."""
    return min(events(scene, question), key=lambda event: event.stop - event.start, default=None)


# Reversal: what the right answer becomes when the clip is played backwards.
#
# A reader of time should change these answers; one that guesses from the pictures alone, or from the order in which it
# expects things, does not.


_OPPOSITE = {
    **{"left": "right", "right": "left", "up": "down", "down": "up"},
    **{"faster": "slower", "slower": "faster", "before": "after", "after": "before"},
}


def reversed_answer(scene: Scene, question: Question) -> str | None:
    """The answer to the same question about the reversed clip; None where it has none.

    Backwards no light changes the corners: they turn dark before the light that was the cause comes on.
    """
    if question.about == ("corners",):  # the first step that differs from the one before it
        return EIGHTHS[(scene.steps - scene.change) // REGIMES[scene.regime].slot]
    if question.kind == "when":
        return EIGHTHS[len(EIGHTHS) - 1 - EIGHTHS.index(question.answer)]
    if question.kind in ("first", "last"):
        return scene.flashes[-1 if question.kind == "first" else 0].what
    if question.kind == "cause":
        return None
    return _OPPOSITE.get(question.answer, question.answer)  # counts and what was seen at all stay
