"""Reversal: what the right answer becomes when the clip is played backwards.

A reader of time should change these answers; one that guesses from the pictures alone, or from the order in which it
expects things, does not.
"""

from .question import EIGHTHS, Question
from .scene import SLOT, STEPS, Scene

_OPPOSITE = {
    **{"left": "right", "right": "left", "up": "down", "down": "up"},
    **{"faster": "slower", "slower": "faster", "before": "after", "after": "before"},
}


def reversed_answer(scene: Scene, question: Question) -> str | None:
    """The answer to the same question about the reversed clip; None where it has none.

    Backwards no light changes the corners: they turn dark before the light that was the cause comes on.
    """
    if question.about == ("corners",):  # the first step that differs from the one before it
        return EIGHTHS[(STEPS - scene.change) // SLOT]
    if question.kind == "when":
        return EIGHTHS[len(EIGHTHS) - 1 - EIGHTHS.index(question.answer)]
    if question.kind in ("first", "last"):
        return scene.flashes[-1 if question.kind == "first" else 0].what
    if question.kind == "cause":
        return None
    return _OPPOSITE.get(question.answer, question.answer)  # counts and what was seen at all stay
