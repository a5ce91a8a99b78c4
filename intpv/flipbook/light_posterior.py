"""Answers about lights and corners, weighed over both lights and slots; weights are not normalised."""

from collections.abc import Iterator
from itertools import permutations

from .flash_posterior import Times, Weights, miss_probability
from .question import EIGHTHS, Question
from .scene import INNER_SLOTS, LIGHTS, REGIMES, SLOT, STEPS, Scene


def _causes(scene: Scene, times: Times) -> Iterator[tuple[float, str, int]]:
    """Every (weight, light, slot) of the cause: a blink seen fixes its light and slot, an unseen one was missed."""
    miss = {slot: miss_probability(REGIMES[scene.regime], slot, times) for slot in INNER_SLOTS}
    seen = {cue.what: cue.slot for cue in scene.cues if cue.seen(times)}
    last_without = max((t for t in times if t < scene.change), default=-1)
    first_with = min((t for t in times if t >= scene.change), default=STEPS)
    for lights in permutations(LIGHTS, 2):
        if not set(seen) <= set(lights):
            continue
        for slots in permutations(INNER_SLOTS, 2):
            if not last_without < (slots[0] + 1) * SLOT <= first_with:
                continue
            weight = 1.0
            for light, slot in zip(lights, slots, strict=True):
                weight *= float(seen[light] == slot) if light in seen else miss[slot]
            if weight:
                yield weight, lights[0], slots[0]


def cause(scene: Scene, question: Question, times: Times) -> Weights:
    weights = dict.fromkeys(LIGHTS, 0.0)
    for weight, light, _ in _causes(scene, times):
        weights[light] += weight
    return weights


def when_changed(scene: Scene, question: Question, times: Times) -> Weights:
    """The corners change right after the cause's slot; the lights seen tell about it as the corners do."""
    weights = dict.fromkeys(EIGHTHS, 0.0)
    for weight, _, slot in _causes(scene, times):
        weights[EIGHTHS[slot + 1]] += weight
    return weights
