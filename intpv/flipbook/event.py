"""The events that a question is about, so that its duration and footprint can be told."""

from .question import Question
from .scene import STEPS, Pulse, Scene


def events(scene: Scene, question: Question) -> tuple[Pulse, ...]:
    """None for a colour that never flashed; a motion lasts the whole clip, its change of speed has two phases."""
    if question.about == ("corners",):
        return (Pulse("corners", scene.change, STEPS),)
    if question.about:
        return tuple(flash for flash in scene.flashes if flash.what in question.about)
    switch = scene.mover.switch
    return {
        "first": scene.flashes[:1],
        "last": scene.flashes[-1:],
        "count": scene.flashes,
        "direction": (Pulse("square", 0, STEPS),),
        "speed": (Pulse("square", 0, switch), Pulse("square", switch, STEPS)),
        "cause": scene.cues[:1],
    }[question.kind]


def shortest(scene: Scene, question: Question) -> Pulse | None:
    """The one of them that is easiest to miss."""
    return min(events(scene, question), key=lambda event: event.stop - event.start, default=None)
