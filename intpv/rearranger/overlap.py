"""Overlap: neighbouring frames in groups that share half of them, so that no border of a group stands alone."""

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


class Overlap(Rearranger):
    """2 m - 1 groups, the tower's work nearly twice: contiguous ones, and between each two one that holds half of
    either. The tokens of a frame that is in two groups are averaged.

    >>> Overlap().order(6, group_length=2).tolist()
    [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]
    """

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "groups N"]:
        starts = torch.arange(2 * m - 1) * n // 2
        return starts[:, None] + torch.arange(n)
