"""Shot-aware: the paper's rearrangement inside each shot, whose borders are where pictures change at once."""

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import ClassVar

import torch
from jaxtyping import Int, UInt8
from scipy.signal import find_peaks
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from intpv.errors import BadInput
from intpv.rearranger.contiguous import Contiguous

SIDE = 32  # pixels of the grey pictures that are compared


@dataclass(frozen=True)
class ShotAware(Contiguous):
    """A cut is a peak of the mean difference between neighbouring grey pictures that stands out by `prominence` grey
    levels (of cuts at two frames in a row, the greater), and the border of shots is the nearest border of a group of N:
    two shots share at most one group. Without a cut it is strided, with one at every group contiguous.

    Its table follows from the pictures, so the tower's output is put back into the order of time as soon as it is
    there; to all that comes later, and knows no pictures, the frames were contiguous.

    >>> cut = torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
    >>> cut[4:] = 200  # the second shot
    >>> ShotAware().order_of(cut, group_length=2).tolist()
    [[0, 2], [1, 3], [4, 6], [5, 7]]
    """

    sees_pictures: ClassVar[bool] = True

    prominence: float | int = 15  # grey levels of 255, over the least difference on either side

    def __post_init__(self) -> None:
        if type(self.prominence) not in (float, int) or not 0 < self.prominence < inf:
            raise BadInput(f"rearranger.prominence must be a number of grey levels over 0, got {self.prominence}")

    def order_of(self, pictures: UInt8[Tensor, "F C h w"], group_length: int, video_id: str = "") -> Int[Tensor, "m N"]:
        self.order(len(pictures), group_length, video_id)  # refuses another number of frames
        borders = {round(cut / group_length) * group_length for cut in self.cuts(pictures)}
        ends = sorted(borders | {0, len(pictures)})
        shots = torch.arange(len(pictures)).split([stop - start for start, stop in pairwise(ends)])
        return torch.cat([shot.view(group_length, -1).T for shot in shots])

    def cuts(self, pictures: UInt8[Tensor, "F C h w"]) -> list[int]:
        """Frames that begin a shot, the first one's not counted."""
        grey = adaptive_avg_pool2d(pictures.float().mean(1, keepdim=True), SIDE).flatten(1)
        change = (grey[1:] - grey[:-1]).abs().mean(1).tolist()
        peaks, _ = find_peaks([0.0, *change, 0.0], prominence=self.prominence)  # a peak may be first or last
        return peaks.tolist()
