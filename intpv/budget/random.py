"""Random: tokens drawn without looking at them. A control: a clever budget has to beat it at equal tokens."""

from dataclasses import dataclass
from hashlib import blake2b

from intpv.bounds import check_whole
from intpv.budget.budget import ShareBudget, by_frame
from intpv.budget.frame_tokens import FrameTokens, KeptParts


@dataclass(frozen=True, kw_only=True)
class RandomTokens(ShareBudget):
    """Another draw for each seed and video; at half the tokens those are among the ones at all larger shares.

    >>> import torch
    >>> RandomTokens(keep=0.5).reduce(torch.zeros(2, 3, 4), "cat").places
    ((0,), (0, 2))
    """

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("budget.seed", self.seed, 0)

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        frames, per_frame = video.frames, video.per_frame

        # sorted by hash, not drawn: no generator's version or state can change it
        def draw(token: int) -> bytes:
            return blake2b(f"token/{self.seed}/{token}/{video_id}".encode()).digest()

        chosen = sorted(sorted(range(frames * per_frame), key=draw)[: self.count(frames, per_frame)])
        return KeptParts.picked(video, by_frame(chosen, frames, per_frame))
