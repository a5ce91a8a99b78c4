"""Two rates: every k-th frame in full, the others pooled (slow and fast pathways, as SlowFast-LLaVA, 2407.15841)."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.bounds import check_whole
from intpv.budget.budget import Budget, Kept
from intpv.budget.pool import checked_grid, coarser, pooled_places


@dataclass(frozen=True, kw_only=True)
class TwoRate(Budget):
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

    def reduce(self, tokens: Float[Tensor, "F P D"], video_id: str) -> Kept:
        small = coarser(tokens, self.grid)
        shown = [whole if index % self.every == 0 else small[index] for index, whole in enumerate(tokens)]
        return Kept(torch.cat(shown))

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        whole, small = tuple(range(per_frame)), pooled_places(per_frame, self.grid)
        return [small if index % self.every else whole for index in range(frames)]
