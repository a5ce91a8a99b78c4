"""Preprocess: decoded frames to what a CLIP tower takes, without torchvision."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from intpv.errors import BadInput

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # RGB, of values in 0..1 (CLIP, arXiv 2103.00020, released code)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CHUNK = 8  # frames made float at a time: a whole long clip at its own size would take four times its bytes


@dataclass(frozen=True)
class Preprocess:
    """In this order: short side to `size` (long side rounded down), centre crop, / 255, minus mean, over std.

    Each frame is treated alone, so the result does not depend on F. Between `fit` and `normalise` pixels are whole
    numbers, as PIL's are: a quarter of the bytes for a cache to keep, and the same values whether kept or not.
    """

    size: int = 224  # S, pixels
    resize: str = "bilinear"  # bilinear | bicubic
    antialias: bool = True  # low-pass when shrinking, as PIL does; Video-LLaVA did not
    mean: Sequence[float | int] = CLIP_MEAN
    std: Sequence[float | int] = CLIP_STD

    def __post_init__(self) -> None:
        if self.resize not in ("bilinear", "bicubic"):
            raise BadInput(f"resize must be bilinear or bicubic, got {self.resize}")
        object.__setattr__(self, "mean", tuple(self.mean))  # lists from YAML would make the settings unhashable
        object.__setattr__(self, "std", tuple(self.std))

    def __call__(self, frames: UInt8[Tensor, "F C H W"]) -> Float[Tensor, "F C S S"]:
        """uint8 frames of any size -> float32 frames of size S x S on the same device."""
        return self.normalise(self.fit(frames))

    def fit(self, frames: UInt8[Tensor, "F C H W"]) -> UInt8[Tensor, "F C S S"]:
        """Resized and cropped; bicubic overshoot is cut to 0..255."""
        return torch.cat([self._resize(chunk) for chunk in frames.split(CHUNK)])

    def normalise(self, pixels: UInt8[Tensor, "F C S S"]) -> Float[Tensor, "F C S S"]:
        """What the tower takes, float32."""
        mean, std = (torch.tensor(value, device=pixels.device)[:, None, None] for value in (self.mean, self.std))
        return (pixels / 255 - mean) / std

    def _resize(self, frames: UInt8[Tensor, "f C H W"]) -> UInt8[Tensor, "f C S S"]:
        height, width = frames.shape[-2:]
        short = min(height, width)
        target = (self.size * height // short, self.size * width // short)
        pixels = frames
        if target != (height, width):
            pixels = interpolate(
                frames.float(), size=target, mode=self.resize, antialias=self.antialias, align_corners=False
            )
        top, left = (round((side - self.size) / 2) for side in target)
        pixels = pixels[..., top : top + self.size, left : left + self.size]
        return pixels if pixels.dtype == torch.uint8 else pixels.round().clamp(0, 255).to(torch.uint8)
