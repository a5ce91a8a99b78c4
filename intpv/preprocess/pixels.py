"""Pixels: decoded frames to what a vision tower takes, without torchvision; what every preprocessing has in common.

Each way to choose a size is a subclass in a file of its own: Preprocess (CLIP), TensorCrop (the original Video-LLaVA),
Square (SigLIP), Smart (Qwen2.5-VL), SmartVolume (Qwen3-VL).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import NamedTuple

import numpy as np
import PIL
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from intpv.bounds import check_flag, check_whole
from intpv.errors import BadInput

# Resize: uint8 frames to another size; bicubic as PIL makes it, bilinear within one grey level of it, batched.


def resized(
    frames: UInt8[Tensor, "F C H W"], height: int, width: int, rows: slice, columns: slice, mode: str, antialias: bool
) -> UInt8[Tensor, "F C h w"]:
    """The frames at height x width, of which only rows x columns are kept.

    With `antialias` as PIL does it (bilinear or bicubic), without it as torch.nn.functional.interpolate.
    """
    if mode == "bicubic" and antialias:
        return _by_pil(frames, height, width)[..., rows, columns]
    pixels = interpolate(frames.float(), size=(height, width), mode=mode, antialias=antialias, align_corners=False)
    return pixels[..., rows, columns].round().clamp(0, 255).to(torch.uint8)


def _by_pil(frames: UInt8[Tensor, "F C H W"], height: int, width: int) -> UInt8[Tensor, "F C h w"]:
    """One frame after the other, on the CPU.

    Between its passes PIL keeps whole numbers from 0 to 255, which cuts the overshoot of sharp edges, and since Pillow
    13 it chooses which side is first. One pass in floats is 25 grey levels off on noise, and uint8 kernels of torch,
    which are faster, now and then 2; PIL itself is faster than two passes in floats.
    """
    images = (Image.fromarray(frame) for frame in frames.permute(0, 2, 3, 1).cpu().contiguous().numpy())
    done = np.stack([np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)) for image in images])
    return torch.from_numpy(done).permute(0, 3, 1, 2).contiguous().to(frames.device)


CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # RGB, of values in 0..1 (CLIP, arXiv 2103.00020, released code)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CHANNELS = 3  # RGB
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
        check_flag("preprocess.antialias", self.antialias)
        for name, least in (("mean", -inf), ("std", 0)):
            values = getattr(self, name)
            if (
                not isinstance(values, Sequence)
                or len(values) != CHANNELS
                or not all(type(value) in (float, int) and least < value < inf for value in values)
            ):
                over = " over 0" * (name == "std")
                raise BadInput(f"preprocess.{name} must be {CHANNELS} numbers{over}, got {values}")
            object.__setattr__(self, name, tuple(values))  # lists from YAML would make the settings unhashable
        for name in ("size", "multiple", "min_pixels", "max_pixels", "total_pixels", "frame_pixels"):  # of subclasses
            if hasattr(self, name):
                check_whole(f"preprocess.{name}", getattr(self, name), or_null=name in ("total_pixels", "frame_pixels"))

    @abstractmethod
    def place(self, num_frames: int, height: int, width: int) -> Place:
        """Where frames of this size go; raises BadInput for a size that the model cannot take."""

    @property
    def fitting(self) -> list:
        """Everything that `fit` depends on beside the frames, as JSON values."""
        settings = {name: value for name, value in asdict(self).items() if name not in ("mean", "std")}
        return [type(self).__name__, settings, PIL.__version__, torch.__version__]

    def __call__(self, frames: UInt8[Tensor, "F C H W"]) -> Float[Tensor, "F C h w"]:
        """uint8 frames of any size -> float32 frames of the model's size on the same device."""
        return self.normalise(self.fit(frames))

    def fit(self, frames: UInt8[Tensor, "f C H W"], of: int | None = None) -> UInt8[Tensor, "f C h w"]:
        """Resized and cropped; `of` is F, where these are some of a video's frames."""
        place = self.place(of or len(frames), *frames.shape[-2:])
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
