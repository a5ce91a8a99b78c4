"""Answers about the mover, counted over every way to move that fits the places seen."""

from functools import lru_cache
from itertools import product

import numpy as np
from jaxtyping import UInt8

from .flash_posterior import Times, Weights
from .question import Question
from .scene import DIRECTIONS, REGIMES, SWITCHES, TORUS, Regime, Scene, travel


@lru_cache(maxsize=64)
def _travelled(regime: Regime, times: Times) -> dict[str, UInt8[np.ndarray, "ways F"]]:
    """px (modulo the torus) from the first sampled step to each other one, for all speeds and switches of an answer."""
    travelled = {}
    for answer, pair in (("faster", (regime.low, regime.high)), ("slower", (regime.high, regime.low))):
        first, second, switch = np.array(list(product(*pair, SWITCHES))).T[:, :, None]
        covered = travel(first, second, switch, np.array(times, dtype=int))
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
