"""Stretch: no groups at all. One group of all F frames, for which the tower interpolates its N time slots."""

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


class Stretch(Rearranger):
    """One row of all frames in order of time. F must still be a multiple of N: it is compared with other orders.

    >>> Stretch().order(4, group_length=2).tolist()
    [[0, 1, 2, 3]]
    """

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "one F"]:
        return torch.arange(m * n)[None]
