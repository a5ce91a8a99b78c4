"""Draw a scene: one 96 x 96 picture per step."""

import numpy as np
from jaxtyping import UInt8

from .scene import TORUS, Scene

SIZE = 96  # px
BORDER = 8  # px, frame that holds the four lights
CORNER = 16  # px, squares that the cause turns white
SQUARE = 24  # px, the mover
DISC = 20  # px, the distractors
DARK, BRIGHT = 30, 240  # grey levels of lights and corners
RGB = {
    "red": (225, 35, 35),
    "orange": (240, 140, 20),
    "yellow": (240, 230, 50),
    "green": (40, 180, 60),
    "cyan": (50, 215, 225),
    "blue": (45, 70, 230),
    "purple": (135, 45, 190),
    "pink": (250, 140, 195),
}
_LIGHT = {
    "north": (slice(0, BORDER), slice(CORNER, SIZE - CORNER)),
    "south": (slice(SIZE - BORDER, SIZE), slice(CORNER, SIZE - CORNER)),
    "west": (slice(CORNER, SIZE - CORNER), slice(0, BORDER)),
    "east": (slice(CORNER, SIZE - CORNER), slice(SIZE - BORDER, SIZE)),
}
_GRID = np.mgrid[0:DISC, 0:DISC] - (DISC - 1) / 2
_ROUND = (_GRID**2).sum(0) <= (DISC / 2) ** 2


def _stamp() -> UInt8[np.ndarray, "h w 3"]:
    square = np.full((SQUARE, SQUARE, 3), 10, np.uint8)
    square[4:-4, 4:-4] = 250  # dark rim, white heart: visible on every colour
    return square


_MOVER = _stamp()


def draw(scene: Scene, step: int) -> UInt8[np.ndarray, "h w 3"]:
    """The picture at one step (RGB)."""
    picture = np.full((SIZE, SIZE, 3), DARK, np.uint8)
    canvas = picture[BORDER : SIZE - BORDER, BORDER : SIZE - BORDER]
    canvas[:] = scene.background
    for flash in scene.flashes:
        if flash.start <= step < flash.stop:
            canvas[:] = RGB[flash.what]
    for disc, x, y in scene.discs:
        if disc.start <= step < disc.stop:
            canvas[y : y + DISC, x : x + DISC][_ROUND] = RGB[disc.what]
    x, y = scene.mover.place(step)
    columns, rows = (np.arange(x, x + SQUARE) % TORUS), (np.arange(y, y + SQUARE) % TORUS)
    canvas[rows[:, None], columns] = _MOVER
    for cue in scene.cues:
        if cue.start <= step < cue.stop:
            picture[_LIGHT[cue.what]] = BRIGHT
    corner = BRIGHT if step >= scene.change else 0
    for rows in (slice(0, CORNER), slice(SIZE - CORNER, SIZE)):
        picture[rows, :CORNER] = corner
        picture[rows, SIZE - CORNER :] = corner
    return picture


def render(scene: Scene, steps) -> UInt8[np.ndarray, "F h w 3"]:
    """The pictures at the given steps, in their order."""
    return np.stack([draw(scene, int(step)) for step in steps])
