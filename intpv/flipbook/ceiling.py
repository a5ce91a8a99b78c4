"""What a perfect observer of the sampled frames can know: the exact posterior of every answer under the generator.

The observer knows the generator (scene.py, question.py) and the clip's regime, sees the clip at the sampled steps only, and
reads the question; that a question names a colour tells something too. Everything is enumerated: 63 sets of slots for the
flashes, every pair of speeds and switch in each direction, the slots and lights of the cause. With no sampled frame at all the same
posterior is the blind answer's.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from math import comb

import numpy as np

from .question import EIGHTHS, Question
from .scene import COLORS, DIRECTIONS, INNER_SLOTS, LIGHTS, REGIMES, SLOT, SWITCHES, TORUS, Regime, Scene, travel

Posterior = dict[str, float]  # answer -> probability, sums to 1


def posterior(scene: Scene, question: Question, times: Sequence[int]) -> Posterior:
    """P(answer | frames at `times` (steps), question)."""
    weights = _KINDS[question.kind](scene, question, tuple(times))
    total = sum(weights.values())
    return {answer: weight / total for answer, weight in weights.items()}


def ceiling(scene: Scene, question: Question, times: Sequence[int]) -> float:
    """max over answers of P(answer | frames, question): the best expected score on this question."""
    return max(posterior(scene, question, times).values())


def blind(scene: Scene, question: Question) -> float:
    """max over answers of P(answer | question)."""
    return ceiling(scene, question, ())


def miss_probability(regime: Regime, slot: int, times: Sequence[int]) -> float:
    """P(no sampled step falls into a pulse of this slot), over its duration and start."""
    inside = [t - slot * SLOT for t in times if slot * SLOT <= t < (slot + 1) * SLOT]
    shortest, longest = regime.durations
    missed = 0.0
    for duration in range(shortest, longest + 1):
        starts = SLOT - duration + 1
        missed += sum(not any(s <= t < s + duration for t in inside) for s in range(starts)) / starts
    return missed / (longest - shortest + 1)


def _histories(scene: Scene, times) -> Iterator[tuple[float, tuple[int, ...], list[int], dict[str, int]]]:
    """Every set of flash slots that fits what is seen: (weight, slots, unseen slots, slot of each seen colour).

    Colours of unseen flashes are a uniform draw without replacement from the colours not seen.
    """
    regime = REGIMES[scene.regime]
    seen = {flash.what: flash.slot for flash in scene.flashes if flash.seen(times)}
    miss = {slot: miss_probability(regime, slot, times) for slot in INNER_SLOTS}
    for count in range(1, len(INNER_SLOTS) + 1):
        for slots in combinations(INNER_SLOTS, count):
            if set(seen.values()) <= set(slots):
                unseen = [slot for slot in slots if slot not in seen.values()]
                weight = 1 / comb(len(INNER_SLOTS), count)
                for slot in unseen:
                    weight *= miss[slot]
                if weight:
                    yield weight, slots, unseen, seen


def _end_color(scene: Scene, question: Question, times) -> Posterior:
    pick = min if question.kind == "first" else max
    weights = dict.fromkeys(COLORS, 0.0)
    for weight, slots, _, seen in _histories(scene, times):
        at = {slot: color for color, slot in seen.items()}
        hidden = [color for color in COLORS if color not in seen]
        if pick(slots) in at:
            weights[at[pick(slots)]] += weight
        else:
            for color in hidden:
                weights[color] += weight / len(hidden)
    return weights


def _count(scene: Scene, question: Question, times) -> Posterior:
    weights = dict.fromkeys(question.options, 0.0)
    for weight, slots, *_ in _histories(scene, times):
        weights[str(len(slots))] += weight
    return weights


def _presence(scene: Scene, question: Question, times) -> Posterior:
    weights = {"yes": 0.0, "no": 0.0}
    (color,) = question.about
    for weight, slots, unseen, seen in _histories(scene, times):
        shown = 1.0 if color in seen else len(unseen) / (len(COLORS) - len(seen))
        weights["yes"] += weight * shown / len(slots)  # asked with "yes": one of the colours shown
        weights["no"] += weight * (1 - shown) / (len(COLORS) - len(slots))
    return weights


def _places(color: str, unseen: list[int], seen: dict[str, int], hidden: int) -> list[tuple[int, float]]:
    """Slots in which a colour may have flashed, each with its probability (they sum to P(it flashed))."""
    return [(seen[color], 1.0)] if color in seen else [(slot, 1 / hidden) for slot in unseen]


def _order(scene: Scene, question: Question, times) -> Posterior:
    weights = {"before": 0.0, "after": 0.0}
    one, other = question.about
    for weight, slots, unseen, seen in _histories(scene, times):
        if len(slots) < 2:
            continue
        asked = weight / (len(slots) * (len(slots) - 1))
        hidden = len(COLORS) - len(seen)
        for slot, p in _places(one, unseen, seen, hidden):
            rest = [s for s in unseen if s != slot]
            for other_slot, q in _places(other, rest, seen, hidden - (one not in seen)):
                weights["before" if slot < other_slot else "after"] += asked * p * q
    return weights


def _when(scene: Scene, question: Question, times) -> Posterior:
    weights = dict.fromkeys(EIGHTHS, 0.0)
    (color,) = question.about
    if color == "corners":
        for slot in _change_slots(scene, times):
            weights[EIGHTHS[slot]] += 1.0
        return weights
    for weight, slots, unseen, seen in _histories(scene, times):
        for slot, p in _places(color, unseen, seen, len(COLORS) - len(seen)):
            weights[EIGHTHS[slot]] += weight * p / len(slots)
    return weights


def _change_slots(scene: Scene, times) -> list[int]:
    """Slots at whose start the corners may have changed, given the sampled steps before and after."""
    before = max((t for t in times if t < scene.change), default=-1)
    after = min((t for t in times if t >= scene.change), default=scene.change + 8 * SLOT)
    return [slot + 1 for slot in INNER_SLOTS if before < (slot + 1) * SLOT <= after]


def _cause(scene: Scene, question: Question, times) -> Posterior:
    """Sum over both lights and both slots; a pulse seen fixes its light and slot, an unseen one was missed."""
    regime = REGIMES[scene.regime]
    miss = {slot: miss_probability(regime, slot, times) for slot in INNER_SLOTS}
    seen = {cue.what: cue.slot for cue in scene.cues if cue.seen(times)}
    weights = dict.fromkeys(LIGHTS, 0.0)
    causes = [slot - 1 for slot in _change_slots(scene, times)]
    for (culprit, idle), at, idle_at in product(_pairs(LIGHTS), causes, INNER_SLOTS):
        if at == idle_at or not set(seen) <= {culprit, idle}:
            continue
        weight = 1.0
        for light, slot in ((culprit, at), (idle, idle_at)):
            weight *= float(seen[light] == slot) if light in seen else miss[slot]
        weights[culprit] += weight
    return weights


def _pairs(items: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for a in items for b in items if a != b]


def _motion(scene: Scene, question: Question, times) -> Posterior:
    """Every way to move whose places at the sampled steps are those seen, all equally likely.

    The origin is unknown, so what counts is the way from the first sampled place to each other one.
    """
    regime = REGIMES[scene.regime]
    places = np.array([scene.mover.place(t) for t in times]).reshape(-1, 2)
    ways = (places - places[:1]) % TORUS  # (F, 2) px
    weights = dict.fromkeys(question.options, 0.0)
    for answer, pair in (("faster", (regime.low, regime.high)), ("slower", (regime.high, regime.low))):
        speeds = np.array(list(product(*pair, SWITCHES)))  # (ways to move, 3)
        travelled = travel(speeds[:, :1], speeds[:, 1:2], speeds[:, 2:], np.array(times, dtype=int))
        travelled = travelled - travelled[:, :1]
        for direction, (axis, sign) in DIRECTIONS.items():
            if not ways[:, 1 - axis].any():
                fits = ((sign * travelled - ways[:, axis]) % TORUS == 0).all(axis=1).sum()
                weights[direction if question.kind == "direction" else answer] += float(fits)
    return weights


_KINDS = {
    "first": _end_color,
    "last": _end_color,
    "count": _count,
    "presence": _presence,
    "direction": _motion,
    "speed": _motion,
    "order": _order,
    "when": _when,
    "cause": _cause,
}
