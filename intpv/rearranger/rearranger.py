"""Rearranger: an index table. Entry (j, i) is the frame at place i of group j; split and merge follow from it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from intpv.errors import BadInput
from intpv.rearranger.group_length import check_frames


@dataclass(frozen=True)
class Rearranger(ABC):
    """`order` once per video, then `split` its frames, encode the groups, `merge` the tokens.

    >>> from intpv.rearranger.strided import Strided
    >>> order = Strided().order(4, group_length=2)  # [[0, 2], [1, 3]]
    >>> groups = Strided().split(Tensor([[10], [20], [30], [40]]), order)
    >>> groups[0].flatten().tolist(), Strided().merge(groups, order).flatten().tolist()
    ([10.0, 30.0], [10.0, 20.0, 30.0, 40.0])
    """

    restore: ClassVar[bool] = True  # False: tokens stay in the order they were encoded in (controls only)

    def order(self, num_frames: int, group_length: int, video_id: str = "") -> Int[Tensor, "m N"]:
        """The table for F = num_frames and N = group_length. Raises BadInput unless F is a positive multiple of N."""
        check_frames(num_frames, group_length)
        return self.table(num_frames // group_length, group_length, video_id)

    @abstractmethod
    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        """The table for m groups of N frames."""

    def split(self, frames: Shaped[Tensor, " F *rest"], order: Int[Tensor, "m N"]) -> Shaped[Tensor, "m N *rest"]:
        """Frames in order of time to groups. Raises BadInput if the table is for another number of frames."""
        if order.numel() != len(frames):
            raise BadInput(f"the order is for {order.numel()} frames, got {len(frames)}")
        return frames[order]

    def merge(self, tokens: Float[Tensor, "m N *P D"], order: Int[Tensor, "m N"]) -> Float[Tensor, "F *P D"]:
        """Encoded groups back to order of time; with `restore` False they stay as they were encoded."""
        encoded = tokens.flatten(0, 1)
        return encoded[order.flatten().argsort()] if self.restore else encoded
