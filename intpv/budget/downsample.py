"""Downsample: the tower is shown fewer pixels. The control at equal tokens, which often beats merging (2510.07143)."""

from dataclasses import dataclass

from intpv.bounds import check_whole
from intpv.budget.budget import PartBudget
from intpv.budget.frame_tokens import FrameTokens, KeptParts
from intpv.budget.pool import pooled_places


@dataclass(frozen=True, kw_only=True)
class Downsample(PartBudget):
    """Frames are made smaller before the tower, whose position embeddings are interpolated: `side` rows and columns of
    patches. Tokens stand where the middles of as many pooled regions would.

    >>> Downsample(side=1).expected(1, 10)  # CLS, and one patch for 3 x 3
    [(0, 5)]
    """

    side: int = 2  # rows and columns of patches that are left

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("budget.side", self.side)

    @property
    def tower_side(self) -> int:
        return self.side

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        return KeptParts.by_part(video, lambda _, tokens: tokens.flatten(0, 1))

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        return [pooled_places(per_frame, (self.side, self.side))] * frames
