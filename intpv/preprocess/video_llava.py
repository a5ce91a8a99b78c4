"""TensorCrop: the original Video-LLaVA's preprocessing, a pipeline of float tensors (pytorchvideo and torchvision).

It resized after normalising, bilinear without antialiasing. Both steps are affine and the weights of a bilinear sum add
up to 1, so their order does not matter; what is left of it here is that pixels are whole numbers in between, at most
half a grey level off. Its random flip, on at test time too, is left out.
"""

from dataclasses import dataclass
from math import floor

from intpv.preprocess.clip import Preprocess, centred
from intpv.preprocess.pixels import Place


@dataclass(frozen=True)
class TensorCrop(Preprocess):
    """Short side to `size`, long side floor(long / short * size) in floats, centre crop."""

    antialias: bool = False

    def place(self, num_frames: int, height: int, width: int) -> Place:
        long, short = max(height, width), min(height, width)
        # in floats, as there: 320 for 490 / 343 * 224 may come out as 319
        other = floor(long / short * self.size)
        height, width = (other, self.size) if width < height else (self.size, other)
        # half a pixel is rounded to even there, and down by CLIP's image processor: one pixel of the picture apart
        return centred(height, width, self.size, (round((height - self.size) / 2), round((width - self.size) / 2)))
