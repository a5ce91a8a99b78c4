"""Pixels: decoded frames to what a vision tower takes, without torchvision; what every preprocessing has in common.

Each way to choose a size is a subclass in a file of its own: Preprocess (CLIP), TensorCrop (the original Video-LLaVA),
Square (SigLIP), Smart (Qwen2.5-VL), SmartVolume (Qwen3-VL).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import PIL
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.video.resize import resized

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # RGB, of values in 0..1 (CLIP, arXiv 2103.00020, released code)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CHUNK = 8  # frames made float at a time: a whole long clip at its own size would take four times its bytes


class Place(NamedTuple):
    """The size a whole frame is resized to, and the window of it that is kept; in pixels."""

    height: int
    width: int
    rows: slice
    columns: slice


@dataclass(frozen=True)
class Pixels(ABC):
    """In this order: resize, crop, / 255, minus mean, over std. No state: threads may share one object.

    Between `fit` and `normalise` pixels are whole numbers, as PIL's are: a quarter of the bytes for a cache to keep,
    and the same values whether kept or not.
    """

    resize: str = "bilinear"  # bilinear | bicubic
    antialias: bool = True  # low-pass when shrinking, as PIL does; Video-LLaVA did not
    mean: Sequence[float | int] = CLIP_MEAN
    std: Sequence[float | int] = CLIP_STD

    def __post_init__(self) -> None:
        if self.resize not in ("bilinear", "bicubic"):
            raise BadInput(f"resize must be bilinear or bicubic, got {self.resize}")
        object.__setattr__(self, "mean", tuple(self.mean))  # lists from YAML would make the settings unhashable
        object.__setattr__(self, "std", tuple(self.std))

    @abstractmethod
    def place(self, num_frames: int, height: int, width: int) -> Place:
        """Where frames of this size go; raises BadInput for a size that the model cannot take."""

    @property
    def fitting(self) -> list:
        """Everything that `fit` depends on beside the frames, as JSON values."""
        settings = {name: value for name, value in asdict(self).items() if name not in ("mean", "std")}
        return [type(self).__name__, settings, PIL.__version__]

    def __call__(self, frames: UInt8[Tensor, "F C H W"]) -> Float[Tensor, "F C h w"]:
        """uint8 frames of any size -> float32 frames of the model's size on the same device."""
        return self.normalise(self.fit(frames))

    def fit(self, frames: UInt8[Tensor, "F C H W"]) -> UInt8[Tensor, "F C h w"]:
        """Resized and cropped."""
        place = self.place(len(frames), *frames.shape[-2:])
        return torch.cat([self._fit(chunk, place) for chunk in frames.split(CHUNK)])

    def normalise(self, pixels: UInt8[Tensor, "F C h w"]) -> Float[Tensor, "F C h w"]:
        """What the tower takes, float32."""
        mean, std = (torch.tensor(value, device=pixels.device)[:, None, None] for value in (self.mean, self.std))
        floats = torch.empty(pixels.shape, dtype=torch.float32, device=pixels.device)
        for frame, kept in zip(floats, pixels, strict=True):  # all at once, each step would leave the CPU's caches
            frame.copy_(kept).div_(255).sub_(mean).div_(std)
        return floats

    def _fit(self, frames: UInt8[Tensor, "f C H W"], place: Place) -> UInt8[Tensor, "f C h w"]:
        if (place.height, place.width) == tuple(frames.shape[-2:]):
            return frames[..., place.rows, place.columns]
        return resized(frames, *place, mode=self.resize, antialias=self.antialias)


def whole(height: int, width: int) -> Place:
    """No crop."""
    return Place(height, width, slice(0, height), slice(0, width))
