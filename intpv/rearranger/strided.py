"""Strided: the paper's rearrangement, every m-th frame to one group (arXiv 2409.12963)."""

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


class Strided(Rearranger):
    """Group j holds frames j, j+m, j+2m, ...: every group sees the whole video, as the tower did in training.

    >>> Strided().order(4, group_length=2).tolist()
    [[0, 2], [1, 3]]
    """

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        return torch.arange(m * n).view(n, m).T
