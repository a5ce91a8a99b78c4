"""Captions: what each frame of a training clip shows, as targets of a linear read-out beside the answers' loss.

Answers alone teach the tower motion and lights very late or not at all; a read-out of every frame's content does so
early, as language alignment does for LanguageBind. It is trained with the model and then thrown away.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from .scene import COLORS, LIGHTS, TORUS, Scene

WAYS = 11  # bins of the way to the next frame, for each axis: a class is learnt sooner than a number
WIDTH = (len(COLORS) + 1) + (len(LIGHTS) + 1) + 4 + 2 * WAYS  # channels of the read-out


def caption(scene: Scene, times) -> Float[np.ndarray, "F 12"]:
    """Per frame: colour index (0: none), four lights, corners, sine and cosine of the mover's place, bin of its way.

    The way leads to the next frame's place, the last frame's is that of the one before.
    """
    turn = 2 * np.pi / TORUS
    places = np.array([scene.mover.place(t) for t in times])
    way = (np.diff(places, axis=0) + TORUS / 2) % TORUS - TORUS / 2  # the shortest way on the torus, px
    way = (np.concatenate([way, way[-1:]]) + TORUS / 2) * WAYS // TORUS
    rows = []
    for t, place, step in zip(times, places, way, strict=True):
        color = next((COLORS.index(f.what) + 1 for f in scene.flashes if f.start <= t < f.stop), 0)
        lights = [any(c.what == light and c.start <= t < c.stop for c in scene.cues) for light in LIGHTS]
        rows.append([color, *lights, t >= scene.change, *np.sin(turn * place), *np.cos(turn * place), *step])
    return np.array(rows, np.float32)


def caption_loss(read: Float[Tensor, "frames 40"], target: Float[Tensor, "frames 12"]) -> Float[Tensor, ""]:
    """Cross entropy of colour and way, binary cross entropy of lights and corners, squared error of the place."""
    sizes = [len(COLORS) + 1, len(LIGHTS) + 1, 4, WAYS, WAYS]
    color, switches, place, along_x, along_y = read.float().split(sizes, dim=-1)
    seen, on, where, way = target.split([1, len(LIGHTS) + 1, 4, 2], dim=-1)
    return (
        cross_entropy(color, seen[:, 0].long())
        + binary_cross_entropy_with_logits(switches, on)
        + mse_loss(place, where)
        + 0.5 * cross_entropy(along_x, way[:, 0].long())
        + 0.5 * cross_entropy(along_y, way[:, 1].long())
    )


def readout(tokens_per_frame: int, width: int) -> torch.nn.Module:
    """(frames, P * D) -> (frames, WIDTH)"""
    return torch.nn.Linear(tokens_per_frame * width, WIDTH)
