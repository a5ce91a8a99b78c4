"""Preprocess: short side to the tower's size and its centre cut out, as CLIP's image processor does."""

from dataclasses import dataclass

from intpv.preprocess.pixels import CLIP_MEAN, CLIP_STD, Pixels, Place

__all__ = ["CLIP_MEAN", "CLIP_STD", "Preprocess", "centred"]


@dataclass(frozen=True)
class Preprocess(Pixels):
    """Short side to `size` (long side rounded down), centre crop. Each frame alone: the result does not depend on F."""

    size: int = 224  # S, pixels

    def place(self, num_frames: int, height: int, width: int) -> Place:
        short = min(height, width)
        height, width = self.size * height // short, self.size * width // short
        return centred(height, width, self.size, ((height - self.size) // 2, (width - self.size) // 2))


def centred(height: int, width: int, size: int, corner: tuple[int, int]) -> Place:
    """The square of `size` whose upper left corner is `corner` (row, column)."""
    top, left = corner
    return Place(height, width, slice(top, top + size), slice(left, left + size))
