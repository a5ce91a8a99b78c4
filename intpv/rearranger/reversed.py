"""Reversed: the video played backwards. A control: a model that reads time must now answer about the reversed video."""

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


class Reversed(Rearranger):
    """Frames F-1, ..., 0 in contiguous groups, and not restored: tower and LLM both see the last frame first.

    >>> Reversed().order(4, group_length=2).tolist()
    [[3, 2], [1, 0]]
    """

    restore = False

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        return torch.arange(m * n).flip(0).view(m, n)
