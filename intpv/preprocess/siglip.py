"""Square: the whole frame squeezed into a square, whatever its shape, as SigLIP's image processor does."""

from collections.abc import Sequence
from dataclasses import dataclass

from intpv.preprocess.pixels import Pixels, Place, whole


@dataclass(frozen=True)
class Square(Pixels):
    """Nothing is cut off; a wide frame becomes narrow. Each frame alone: the result does not depend on F."""

    size: int = 384  # S, pixels
    resize: str = "bicubic"
    mean: Sequence[float | int] = (0.5, 0.5, 0.5)
    std: Sequence[float | int] = (0.5, 0.5, 0.5)

    def place(self, num_frames: int, height: int, width: int) -> Place:
        return whole(self.size, self.size)
