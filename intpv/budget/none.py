"""No budget: the LLM is given every token of every frame."""

from dataclasses import dataclass

from intpv.budget.budget import PartBudget
from intpv.budget.frame_tokens import FrameTokens, KeptParts


@dataclass(frozen=True, kw_only=True)
class NoBudget(PartBudget):
    """Leaves the video as it is.

    >>> NoBudget().expected(2, 3)
    [(0, 1, 2), (0, 1, 2)]
    """

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        return KeptParts.by_part(video, lambda _, tokens: tokens.flatten(0, 1))

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        return [tuple(range(per_frame))] * frames
