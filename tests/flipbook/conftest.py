"""An independent judge: what a picture shows, read from its pixels, and what a plain reader answers from pictures."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from intpv.flipbook.question import Question, draw_questions
from intpv.flipbook.render import RGB, SQUARE, render
from intpv.flipbook.scene import REGIMES, SLOT, TORUS, Scene, draw_scene
from intpv.flipbook.split import Clip, draw
from intpv.video.sampling import midpoint


class Glimpse(NamedTuple):
    color: str | None  # of the canvas
    lights: frozenset[str]
    white_corners: bool
    place: tuple[int, int]  # (x, y) of the mover, px


_INSIDE = np.ones((TORUS, TORUS), dtype=bool)  # canvas that no corner covers
_INSIDE[:8, :8] = _INSIDE[:8, -8:] = _INSIDE[-8:, :8] = _INSIDE[-8:, -8:] = False
_HEART, _RIM = np.zeros((2, TORUS, TORUS), dtype=bool)
_RIM[:SQUARE, :SQUARE], _HEART[4 : SQUARE - 4, 4 : SQUARE - 4] = True, True
_RIM ^= _HEART
_HEART_SPECTRUM, _RIM_SPECTRUM = np.fft.rfft2([_HEART, _RIM]).conj()
_NAMES = {red << 16 | green << 8 | blue: name for name, (red, green, blue) in RGB.items()}


def look(picture: np.ndarray) -> Glimpse:
    """Everything a rendered picture tells, from its pixels alone."""
    codes = picture[8:88, 8:88].astype(int) @ (1 << 16, 1 << 8, 1)
    paint, counts = np.unique(codes[_INSIDE], return_counts=True)
    white, black = np.fft.rfft2([(codes == grey * 0x010101) & _INSIDE for grey in (250, 10)])
    score = np.rint(np.fft.irfft2(white * _HEART_SPECTRUM + black * _RIM_SPECTRUM, (TORUS, TORUS)))
    ((y, x),) = np.argwhere(score == score.max())  # fails where more than one place fits
    strips = {"north": picture[:8, 40], "south": picture[-8:, 40], "west": picture[40, :8], "east": picture[40, -8:]}
    lit = frozenset(name for name, strip in strips.items() if (strip == 240).all())
    return Glimpse(_NAMES.get(int(paint[counts.argmax()])), lit, bool((picture[0, 0] == 240).all()), (int(x), int(y)))


def read_off(question: Question, times: Sequence[int], glimpses: Sequence[Glimpse], eighth: int = SLOT) -> str:
    """A plain reader: answers what it saw and guesses the same thing when it saw nothing; right when it sees all."""
    seen: dict[str, int] = {}  # colour -> step
    lights: list[str] = []  # before the corners changed
    for t, glimpse in zip(times, glimpses, strict=True):
        if glimpse.color:
            seen.setdefault(glimpse.color, t)
        lights += [] if glimpse.white_corners else glimpse.lights
    white = [t for t, glimpse in zip(times, glimpses, strict=True) if glimpse.white_corners]
    steps = np.diff([glimpse.place for glimpse in glimpses], axis=0)
    steps = (steps + TORUS // 2) % TORUS - TORUS // 2  # px, the shorter way round
    third = max(1, len(steps) // 3)
    x, y = steps.sum(0)
    one, other = (*question.about, "", "")[:2]
    when = {**seen, "corners": white[0] if white else 0}.get(one, 0)
    return {
        "first": lambda: next(iter(seen), "red"),
        "last": lambda: next(reversed(seen), "red"),
        "count": lambda: str(max(1, len(seen))),
        "presence": lambda: "yes" if one in seen else "no",
        "direction": lambda: ("right" if x > 0 else "left") if abs(x) > abs(y) else ("down" if y > 0 else "up"),
        "speed": lambda: "faster" if np.abs(steps[-third:]).sum() > np.abs(steps[:third]).sum() else "slower",
        "order": lambda: "before" if seen.get(one, 0) < seen.get(other, 8 * eighth) else "after",
        "when": lambda: str(when // eighth + 1),
        "cause": lambda: lights[-1] if lights else "north",
    }[question.kind]()


@pytest.fixture(scope="session", name="look")
def _look():
    return look


@pytest.fixture(scope="session", name="read_off")
def _read_off():
    return read_off


@pytest.fixture(scope="session")
def draw_many():
    """(scene, its questions) as often as wanted, from a stream of the tests' own."""

    def draw_from(regime: str, number: int, stream: int = 0) -> list[tuple[Scene, list[Question]]]:
        rng = np.random.default_rng([99, stream, list(REGIMES).index(regime)])
        scenes = [draw_scene(rng, REGIMES[regime]) for _ in range(number)]
        return [(scene, draw_questions(rng, scene)) for scene in scenes]

    return draw_from


@pytest.fixture(scope="session")
def split():
    """The clips of one regime in the test split as it ships."""

    @cache
    def shipped(regime: str) -> list[Clip]:
        return draw(regime, 60, seed=0)

    return shipped


@pytest.fixture(scope="session")
def glimpses():
    """What the pictures of a scene at these steps show."""
    return lambda scene, times: [look(picture) for picture in render(scene, times)]


@pytest.fixture(params=["slow", "fast"])
def regime(request) -> str:
    return request.param


@pytest.fixture(params=(8, 16, 32, 64), ids=lambda frames: f"{frames}frames")
def times(request) -> list[int]:
    """Sampled steps, as a run with its default settings has them."""
    return midpoint(256, request.param)
