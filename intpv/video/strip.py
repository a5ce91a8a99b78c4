"""Strip: the frames a model saw, as one picture to look at."""

from math import ceil
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad


def strip(frames: UInt8[Tensor, "F C H W"], columns: int = 8, height: int = 96) -> UInt8[Tensor, "h w C"]:
    """Rows of `columns` frames in the order given, each scaled to `height` pixels; a last row is filled with black."""
    scale = height / frames.shape[2]
    small = interpolate(frames.float(), scale_factor=scale, mode="bilinear", antialias=True, align_corners=False)
    columns = min(columns, len(frames))
    rows = ceil(len(frames) / columns)
    small = pad(small.round().clamp(0, 255).to(torch.uint8), (0, 0, 0, 0, 0, 0, 0, rows * columns - len(frames)))
    return rearrange(small, "(row column) c h w -> (row h) (column w) c", column=columns)


def save_strip(frames: UInt8[Tensor, "F C H W"], path: str | Path) -> None:
    """Write the strip in the format that the file's ending names."""
    Image.fromarray(strip(frames).numpy()).save(path)
