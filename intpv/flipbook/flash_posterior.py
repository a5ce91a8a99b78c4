"""Answers about flashes, weighed over every set of slots that fits what is seen; weights are not normalised."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import NamedTuple

from .question import EIGHTHS, Question
from .scene import COLORS, INNER_SLOTS, REGIMES, SLOT, Regime, Scene

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
    inside = [t - slot * SLOT for t in times if slot * SLOT <= t < (slot + 1) * SLOT]
    shortest, longest = regime.durations
    missed = 0.0
    for duration in range(shortest, longest + 1):
        starts = SLOT - duration + 1
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
