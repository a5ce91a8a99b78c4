"""Contiguous: chunks of N neighbouring frames, what the original tower does with more than N frames. The baseline."""

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


class Contiguous(Rearranger):
    """Group j holds frames jN, jN+1, ..., jN+N-1: a group sees 1/m of the video at the full frame rate.

    >>> Contiguous().order(4, group_length=2).tolist()
    [[0, 1], [2, 3]]
    """

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        return torch.arange(m * n).view(m, n)
