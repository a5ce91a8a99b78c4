"""What a perfect observer of the sampled frames can know: the exact posterior of every answer under the generator.

The observer knows the generator (scene.py, question.py) and the clip's regime, sees the clip at the sampled steps only,
and reads the question; that a question names a colour tells something too. Everything is enumerated: 63 sets of slots
for the flashes, both lights and slots of the cause, every pair of speeds and switch in each direction. With no sampled
frame at all the same posterior is the blind answer's.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, permutations, product
from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from .question import EIGHTHS, Question
from .scene import COLORS, DIRECTIONS, INNER_SLOTS, LIGHTS, REGIMES, TORUS, Regime, Scene, travel

# Answers about flashes, weighed over every set of slots that fits what is seen; weights are not normalised.


Times = tuple[int, ...]  # sampled steps
Weights = dict[str, float]  # answer -> weight


class History(NamedTuple):
    """One set of flash slots; colours of unseen flashes are a uniform draw without replacement from those not seen."""

    weight: float  # P(slots, what is seen), up to a factor that all histories share
    slots: tuple[int, ...]
    unseen: list[int]  # slots of flashes that no sampled step met
    seen: dict[str, int]  # colour -> slot

    @property
    def hidden(self) -> int:
        """Colours not seen."""
        return len(COLORS) - len(self.seen)

    def places(self, color: str) -> list[tuple[int, float]]:
        """Slots in which a colour may have flashed, each with its probability (they sum to P(it flashed))."""
        return [(self.seen[color], 1.0)] if color in self.seen else [(slot, 1 / self.hidden) for slot in self.unseen]

    def reveal(self, color: str, slot: int) -> "History":
        """The same history for someone who is told where a colour flashed."""
        unseen = [other for other in self.unseen if other != slot]
        return self._replace(unseen=unseen, seen={**self.seen, color: slot})


@lru_cache(maxsize=4096)
def miss_probability(regime: Regime, slot: int, times: Times) -> float:
    """P(no sampled step falls into a pulse of this slot), over its duration and start."""
    inside = [t - slot * regime.slot for t in times if slot * regime.slot <= t < (slot + 1) * regime.slot]
    shortest, longest = regime.durations
    missed = 0.0
    for duration in range(shortest, longest + 1):
        starts = regime.slot - duration + 1
        missed += sum(not any(s <= t < s + duration for t in inside) for s in range(starts)) / starts
    return missed / (longest - shortest + 1)


def histories(scene: Scene, times: Times) -> Iterator[History]:
    """Every set of slots with a weight above 0: the count is uniform, and so are the slots given the count."""
    regime = REGIMES[scene.regime]
    seen = {flash.what: flash.slot for flash in scene.flashes if flash.seen(times)}
    miss = {slot: miss_probability(regime, slot, times) for slot in INNER_SLOTS}
    for number in range(1, len(INNER_SLOTS) + 1):
        for slots in combinations(INNER_SLOTS, number):
            if set(seen.values()) <= set(slots):
                unseen = [slot for slot in slots if slot not in seen.values()]
                weight = 1 / comb(len(INNER_SLOTS), number)
                for slot in unseen:
                    weight *= miss[slot]
                if weight:
                    yield History(weight, slots, unseen, seen)


def end_color(scene: Scene, question: Question, times: Times) -> Weights:
    """The first or last flash: seen, or any of the hidden colours alike."""
    pick = min if question.kind == "first" else max
    weights = dict.fromkeys(COLORS, 0.0)
    for history in histories(scene, times):
        end = pick(history.slots)
        fits = [color for color, slot in history.seen.items() if slot == end]
        fits = fits or [color for color in COLORS if color not in history.seen]
        for color in fits:
            weights[color] += history.weight / len(fits)
    return weights


def count(scene: Scene, question: Question, times: Times) -> Weights:
    """As many flashes as a history has slots, seen or not."""
    weights = dict.fromkeys(question.options, 0.0)
    for history in histories(scene, times):
        weights[str(len(history.slots))] += history.weight
    return weights


def presence(scene: Scene, question: Question, times: Times) -> Weights:
    """Asked once about one of the colours shown and once about one of the others."""
    weights = {"yes": 0.0, "no": 0.0}
    (color,) = question.about
    for history in histories(scene, times):
        shown = sum(p for _, p in history.places(color))
        weights["yes"] += history.weight * shown / len(history.slots)
        weights["no"] += history.weight * (1 - shown) / (len(COLORS) - len(history.slots))
    return weights


def order(scene: Scene, question: Question, times: Times) -> Weights:
    """Asked about a pair of the colours shown, all pairs alike."""
    weights = {"before": 0.0, "after": 0.0}
    one, other = question.about
    for history in histories(scene, times):
        shown = len(history.slots)
        for slot, p in history.places(one):
            for other_slot, q in history.reveal(one, slot).places(other):
                asked = history.weight / (shown * (shown - 1))
                weights["before" if slot < other_slot else "after"] += asked * p * q
    return weights


def when(scene: Scene, question: Question, times: Times) -> Weights:
    """Asked about one of the colours shown, all alike."""
    weights = dict.fromkeys(EIGHTHS, 0.0)
    (color,) = question.about
    for history in histories(scene, times):
        for slot, p in history.places(color):
            weights[EIGHTHS[slot]] += history.weight * p / len(history.slots)
    return weights


# Answers about lights and corners, weighed over both lights and slots; weights are not normalised.


def _causes(scene: Scene, times: Times) -> Iterator[tuple[float, str, int]]:
    """Every (weight, light, slot) of the cause: a blink seen fixes its light and slot, an unseen one was missed."""
    regime = REGIMES[scene.regime]
    miss = {slot: miss_probability(regime, slot, times) for slot in INNER_SLOTS}
    seen = {cue.what: cue.slot for cue in scene.cues if cue.seen(times)}
    last_without = max((t for t in times if t < scene.change), default=-1)
    first_with = min((t for t in times if t >= scene.change), default=regime.steps)
    for lights in permutations(LIGHTS, 2):
        if not set(seen) <= set(lights):
            continue
        for slots in permutations(INNER_SLOTS, 2):
            if not last_without < (slots[0] + 1) * regime.slot <= first_with:
                continue
            weight = 1.0
            for light, slot in zip(lights, slots, strict=True):
                weight *= float(seen[light] == slot) if light in seen else miss[slot]
            if weight:
                yield weight, lights[0], slots[0]


def cause(scene: Scene, question: Question, times: Times) -> Weights:
    """Which light was the cause, over every pair of lights and slots that fits the blinks and corners seen."""
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


# Answers about the mover, counted over every way to move that fits the places seen.


@lru_cache(maxsize=64)
def _travelled(regime: Regime, times: Times) -> dict[str, UInt8[np.ndarray, "ways F"]]:
    """px (modulo the torus) from the first sampled step to each other one, for all speeds and switches of an answer."""
    travelled = {}
    for answer, pair in (("faster", (regime.low, regime.high)), ("slower", (regime.high, regime.low))):
        first, second, switch = np.array(list(product(*pair, regime.switches))).T[:, :, None]
        covered = travel(first, second, switch, np.array(times, dtype=int), regime.slot)
        travelled[answer] = ((covered - covered[:, :1]) % TORUS).astype(np.uint8)
    return travelled


def motion(scene: Scene, question: Question, times: Times) -> Weights:
    """All ways to move are equally likely and the origin tells nothing: what counts is the way since the first step."""
    places = np.array([scene.mover.place(t) for t in times]).reshape(-1, 2)
    moved = (places - places[:1]) % TORUS  # (F, 2) px
    weights = dict.fromkeys(question.options, 0.0)
    for direction, (axis, sign) in DIRECTIONS.items():
        if moved[:, 1 - axis].any():
            continue
        for answer, travelled in _travelled(REGIMES[scene.regime], times).items():
            fits = (travelled == sign * moved[:, axis] % TORUS).all(axis=1).sum()
            weights[direction if question.kind == "direction" else answer] += float(fits)
    return weights


Posterior = dict[str, float]  # answer -> probability, sums to 1

_KINDS = {
    "first": end_color,
    "last": end_color,
    "count": count,
    "presence": presence,
    "order": order,
    "when": when,
    "cause": cause,
    "direction": motion,
    "speed": motion,
}


def posterior(scene: Scene, question: Question, times: Sequence[int]) -> Posterior:
    """P(answer | frames at `times` (steps), question)."""
    about_corners = question.about == ("corners",)
    weigh = when_changed if about_corners else _KINDS[question.kind]
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
