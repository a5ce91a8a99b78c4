"""Block-strided: the paper's rearrangement inside shots of equal length, between contiguous and strided."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.bounds import check_whole
from intpv.rearranger.rearranger import Rearranger


@dataclass(frozen=True)
class BlockStrided(Rearranger):
    """Each shot of `groups` * N frames is strided by itself: a group sees all of its shot and nothing of the others.
    With 1 it is contiguous, with m or more strided. A shot is a length, wherever the video is cut; the last may be
    shorter.

    >>> BlockStrided(groups=2).order(8, group_length=2).tolist()
    [[0, 2], [1, 3], [4, 6], [5, 7]]
    """

    groups: int = 2  # of N frames, in a shot

    def __post_init__(self) -> None:
        check_whole("rearranger.groups", self.groups)

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        sizes = [min(self.groups, m - start) for start in range(0, m, self.groups)]
        return torch.cat([shot.view(n, -1).T for shot in torch.arange(m * n).split([size * n for size in sizes])])
