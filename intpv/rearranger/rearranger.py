"""Rearranger: an index table. Entry (j, i) is the frame at place i of group j; split and merge follow from it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.rearranger.group_length import check_frames


@dataclass(frozen=True)
class Rearranger(ABC):
    """`order` once per video, then `split` its frames, encode the groups, `merge` the tokens. A table may name a frame
    more than once, and then has more than F / N groups: its tokens are averaged.

    >>> from intpv.rearranger.strided import Strided
    >>> order = Strided().order(4, group_length=2)  # [[0, 2], [1, 3]]
    >>> groups = Strided().split(Tensor([[10], [20], [30], [40]]), order)
    >>> groups[0].flatten().tolist(), Strided().merge(groups, order).flatten().tolist()
    ([10.0, 30.0], [10.0, 20.0, 30.0, 40.0])
    """

    # True: `order_of` reads pictures; `order`, told none, is where the tower's output stands once it is put back
    sees_pictures: ClassVar[bool] = False
    restore: ClassVar[bool] = True  # False: tokens stay in the order they were encoded in (controls only)

    def order(self, num_frames: int, group_length: int, video_id: str = "") -> Int[Tensor, "m N"]:
        """The table for F = num_frames and N = group_length. Raises BadInput unless F is a positive multiple of N."""
        check_frames(num_frames, group_length)
        return self.table(num_frames // group_length, group_length, video_id)

    def order_of(self, pictures: UInt8[Tensor, "F C h w"], group_length: int, video_id: str = "") -> Int[Tensor, "m N"]:
        """The table by which these frames are shown to the tower; BadInput as `order` says."""
        return self.order(len(pictures), group_length, video_id)

    @abstractmethod
    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        """The table for the F = m N frames of m groups."""

    def split(
        self, frames: Shaped[Tensor, " F *rest"], order: Int[Tensor, "m N"], rows: slice = slice(None)
    ) -> Shaped[Tensor, "groups N *rest"]:
        """Frames in order of time to groups, of which `rows` are made. Raises BadInput if the table is for another
        number of frames."""
        if (told := int(order.max()) + 1) != len(frames):
            raise BadInput(f"the order is for {told} frames, got {len(frames)}")
        return frames[order[rows]]

    def merge(self, tokens: Float[Tensor, "m N *P D"], order: Int[Tensor, "m N"]) -> Float[Tensor, "F *P D"]:
        """Encoded groups back to order of time; with `restore` False they stay as they were encoded."""
        encoded, times = tokens.flatten(0, 1), order.flatten()
        if not self.restore:
            return encoded
        shown = times.bincount()
        if len(shown) == len(times):  # each frame once
            return encoded[times.argsort()]
        exact = encoded.to(torch.promote_types(encoded.dtype, torch.float32)).flatten(1)
        # a product, not an addition in place: it adds in the same order each time, on a GPU too
        share = (times == times.unique()[:, None]).to(exact) / shown[:, None].to(exact)
        return (share @ exact).to(encoded.dtype).view(len(shown), *encoded.shape[1:])
