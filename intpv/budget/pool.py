"""Pool: every frame's patches averaged over a coarser grid (as LLaVA-OneVision and PLLaVA pool before their LLM)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from intpv.budget.budget import PartBudget, patches
from intpv.budget.frame_tokens import FrameTokens, KeptParts
from intpv.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Pool(PartBudget):
    """Averages over regions that may overlap by a row or column where sizes do not divide; a CLS token stays.

    A pooled token stands in the middle of its region.

    >>> Pool(grid=[1, 1]).expected(1, 10)  # CLS, and the middle of 3 x 3 patches
    [(0, 5)]
    """

    grid: Any = (2, 2)  # rows and columns that are left; YAML's list of two

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "grid", checked_grid("budget.grid", self.grid))

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        return KeptParts.by_part(video, lambda _, tokens: coarser(tokens, self.grid).flatten(0, 1))

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        return [pooled_places(per_frame, self.grid)] * frames


def checked_grid(key: str, grid: Any) -> tuple[int, int]:
    """Rows and columns, as YAML's list of two; BadInput for another thing."""
    is_list = isinstance(grid, Sequence) and not isinstance(grid, str)
    if not is_list or len(grid) != 2 or any(type(side) is not int or side < 1 for side in grid):
        raise BadInput(f"{key} must be rows and columns, two whole numbers of at least 1, got {grid}")
    return (grid[0], grid[1])


def coarser(tokens: Float[Tensor, "F P D"], grid: tuple[int, int]) -> Float[Tensor, "F less D"]:
    """BadInput for a grid that is finer than the frame's."""
    before, side = _fits(tokens.shape[1], grid)
    square = tokens[:, before:].transpose(1, 2).unflatten(2, (side, side))
    return torch.cat([tokens[:, :before], F.adaptive_avg_pool2d(square, grid).flatten(2).transpose(1, 2)], 1)


def pooled_places(per_frame: int, grid: tuple[int, int]) -> tuple[int, ...]:
    """Where the middles of the regions stand in a whole frame."""
    before, side = _fits(per_frame, grid)
    # a region's bounds as adaptive pooling sets them
    rows, columns = ([(i * side // n + -(-(i + 1) * side // n) - 1) // 2 for i in range(n)] for n in grid)
    return (*range(before), *(before + row * side + column for row in rows for column in columns))


def _fits(per_frame: int, grid: tuple[int, int]) -> tuple[int, int]:
    before, side = patches(per_frame)
    if max(grid) > side:
        raise BadInput(f"budget.grid must be at most the frame's {side} x {side} patches, got {grid[0]} x {grid[1]}")
    return before, side
