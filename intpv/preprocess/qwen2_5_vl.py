"""Smart: the frame's own shape in whole patches, its pixels between two bounds, as Qwen2.5-VL takes it.

The bounds are those of qwen-vl-utils, with which the model is published, and of transformers' video processor with
`cap_pixels_per_frame`: a frame may have no more than its share of all frames' budget.
"""

import math
from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.preprocess.pixels import Pixels, Place, whole

LONGEST = 200  # times the short side


@dataclass(frozen=True)
class Smart(Pixels):
    """All frames get one size; it depends on F where the budget binds (Qwen2.5-VL's does beyond 300 frames)."""

    resize: str = "bicubic"
    multiple: int = 28  # pixels: sides are multiples of it; patch size x merge size
    min_pixels: int = 128 * 28 * 28  # of a frame
    max_pixels: int = 768 * 28 * 28  # of a frame
    total_pixels: int | None = 115_200 * 28 * 28  # of all pairs of frames; None: no budget

    def place(self, num_frames: int, height: int, width: int) -> Place:
        most = self.max_pixels
        if self.total_pixels is not None:  # frames go through the tower in pairs
            most = max(min(most, 2 * self.total_pixels // num_frames), int(1.05 * self.min_pixels))
        return whole(*smart_size(height, width, self.multiple, self.min_pixels, most))


def smart_size(
    height: int, width: int, multiple: int, least: int, most: int, frames: int = 1, pixels: float | int | None = None
) -> tuple[int, int]:
    """(height, width) in multiples of `multiple` with `frames` x height x width from `least` to `most`.

    The aspect ratio changes as little as whole multiples allow. `pixels` is what the frames have now, where that is
    counted otherwise than their number says. Raises BadInput for a frame more than 200 times as long as wide.
    """
    ratio = max(height, width) / min(height, width)
    if ratio > LONGEST:
        raise BadInput(f"a frame may be {LONGEST} times as long as wide, got {ratio:.0f} times ({width}x{height})")
    pixels = frames * height * width if pixels is None else pixels
    sides = [round(side / multiple) * multiple for side in (height, width)]
    if frames * sides[0] * sides[1] > most:
        shrink = math.sqrt(pixels / most)
        sides = [max(multiple, math.floor(side / shrink / multiple) * multiple) for side in (height, width)]
    elif frames * sides[0] * sides[1] < least:
        grow = math.sqrt(least / pixels)
        sides = [math.ceil(side * grow / multiple) * multiple for side in (height, width)]
    return sides[0], sides[1]
