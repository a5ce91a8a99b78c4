"""Strip: the frames a model saw, as one picture to look at, each with its index and its time."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

WIDTH = 160  # pixels of a frame
COLUMNS = 8
GAP = 4  # pixels between frames, white
TALLEST = 4  # times as high as wide: a frame beyond is narrower than WIDTH
LETTERS = 14  # pixels


def strip(
    frames: UInt8[Tensor, "F C H W"], indices: Sequence[int], seconds: Float[Tensor, " F"], most: int | None = None
) -> UInt8[np.ndarray, "h w C"]:
    """Rows of frames in the order given, `seconds` after the video's first frame.

    Of more than `most` frames so many are shown, at equal distances, the first and the last among them.
    """
    count = len(frames) if most is None else min(most, len(frames))
    shown = np.linspace(0, len(frames) - 1, count).round().astype(int).tolist()
    height, width = frames.shape[2:]
    scale = min(WIDTH / width, TALLEST * WIDTH / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    columns = min(COLUMNS, count)
    step = WIDTH + GAP, size[1] + GAP
    canvas = Image.new("RGB", (step[0] * columns - GAP, step[1] * ceil(count / columns) - GAP), "white")
    for place, frame in enumerate(shown):
        picture = Image.fromarray(rearrange(frames[frame], "c h w -> h w c").cpu().numpy()).resize(size)
        _write(picture, f"#{indices[frame]}  {seconds[frame]:.2f} s")
        canvas.paste(picture, (place % columns * step[0], place // columns * step[1]))
    return np.array(canvas)


def save_strip(
    frames: UInt8[Tensor, "F C H W"], indices: Sequence[int], seconds: Float[Tensor, " F"], path: str | Path
) -> None:
    """Write the strip in the format that the file's ending names."""
    Image.fromarray(strip(frames, indices, seconds)).save(path)


def _write(picture: Image.Image, text: str) -> None:
    """At the upper left, white on black."""
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTERS)
    *_, right, bottom = draw.textbbox((3, 2), text, font=font)
    draw.rectangle((0, 0, right + 3, bottom + 3), fill="black")
    draw.text((3, 2), text, fill="white", font=font)
