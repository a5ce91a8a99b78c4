"""Two rates: every k-th frame in full, the others pooled (slow and fast pathways, as SlowFast-LLaVA, 2407.15841)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from intpv.bounds import check_whole
from intpv.budget.budget import PartBudget
from intpv.budget.frame_tokens import FrameTokens, KeptParts
from intpv.budget.pool import checked_grid, coarser, pooled_places


@dataclass(frozen=True, kw_only=True)
class TwoRate(PartBudget):
    """Frames 0, k, 2k, ... keep their details; between them what moves can still be followed.

    >>> TwoRate(every=2, grid=[1, 1]).expected(3, 4)
    [(0, 1, 2, 3), (0,), (0, 1, 2, 3)]
    """

    every: int = 4  # k, frames from one in full to the next
    grid: Any = (1, 1)  # rows and columns that are left of the others

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("budget.every", self.every)
        object.__setattr__(self, "grid", checked_grid("budget.grid", self.grid))

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        def rule(part: range, tokens: Tensor) -> Tensor:
            shown = zip(part, tokens, coarser(tokens, self.grid), strict=True)
            return torch.cat([small if frame % self.every else whole for frame, whole, small in shown])

        return KeptParts.by_part(video, rule)

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        whole, small = tuple(range(per_frame)), pooled_places(per_frame, self.grid)
        return [small if index % self.every else whole for index in range(frames)]
