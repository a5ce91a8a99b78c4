"""What a perfect observer of the sampled frames can know: the exact posterior of every answer under the generator.

The observer knows the generator (scene.py, question.py) and the clip's regime, sees the clip at the sampled steps only,
and reads the question; that a question names a colour tells something too. Everything is enumerated: 63 sets of slots
for the flashes, both lights and slots of the cause, every pair of speeds and switch in each direction. With no sampled
frame at all the same posterior is the blind answer's.
"""

from collections.abc import Sequence

from . import flash_posterior, light_posterior, motion_posterior
from .question import Question
from .scene import Scene

Posterior = dict[str, float]  # answer -> probability, sums to 1

_KINDS = {
    "first": flash_posterior.end_color,
    "last": flash_posterior.end_color,
    "count": flash_posterior.count,
    "presence": flash_posterior.presence,
    "order": flash_posterior.order,
    "when": flash_posterior.when,
    "cause": light_posterior.cause,
    "direction": motion_posterior.motion,
    "speed": motion_posterior.motion,
}


def posterior(scene: Scene, question: Question, times: Sequence[int]) -> Posterior:
    """P(answer | frames at `times` (steps), question)."""
    about_corners = question.about == ("corners",)
    weigh = light_posterior.when_changed if about_corners else _KINDS[question.kind]
    # what is shown twice tells nothing more
    weights = weigh(scene, question, tuple(sorted(set(times))))
    total = sum(weights.values())
    return {answer: weight / total for answer, weight in weights.items()}


def ceiling(scene: Scene, question: Question, times: Sequence[int]) -> float:
    """max over answers of P(answer | frames, question): the best expected score on this question."""
    return max(posterior(scene, question, times).values())


def blind(scene: Scene, question: Question) -> float:
    """max over answers of P(answer | question)."""
    return ceiling(scene, question, ())
