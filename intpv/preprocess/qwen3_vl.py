"""SmartVolume: the frame's own shape in whole patches, all frames' pixels between two bounds, as Qwen3-VL takes it.

The bounds are those of transformers' video processor: they count the whole video, so more frames are smaller frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.preprocess.pixels import Pixels, Place, whole
from intpv.preprocess.qwen2_5_vl import smart_size

PAIR = 2  # frames that the tower takes at once


@dataclass(frozen=True)
class SmartVolume(Pixels):
    """All frames get one size, and it depends on F."""

    resize: str = "bicubic"
    mean: Sequence[float | int] = (0.5, 0.5, 0.5)
    std: Sequence[float | int] = (0.5, 0.5, 0.5)
    multiple: int = 32  # pixels: sides are multiples of it; patch size x merge size
    min_pixels: int = 4096  # of all frames
    max_pixels: int = 25_165_824  # of all frames
    frame_pixels: int | None = None  # at most, of one frame; None: no such bound

    def place(self, num_frames: int, height: int, width: int) -> Place:
        if num_frames < PAIR:
            raise BadInput(f"the tower takes {PAIR} frames at once, got {num_frames}")
        most = self.max_pixels
        if self.frame_pixels is not None:
            most = num_frames * max(min(self.frame_pixels, most // num_frames), int(1.05 * self.min_pixels))
        if min(height, width) < self.multiple:
            scale = max(self.multiple / height, self.multiple / width)
            height, width = int(height * scale), int(width * scale)
        pairs, pixels = round(num_frames / PAIR) * PAIR, num_frames * height * width
        return whole(*smart_size(height, width, self.multiple, self.min_pixels, most, pairs, pixels))
