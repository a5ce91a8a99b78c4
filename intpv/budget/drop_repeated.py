"""Drop repeated: tokens that are most like the one at the same place a frame before go (as EVS of vLLM, 2510.14624)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from intpv.budget.budget import ShareBudget, by_frame
from intpv.budget.frame_tokens import FrameTokens, KeptParts


@dataclass(frozen=True, kw_only=True)
class DropRepeated(ShareBudget):
    """The first frame stays whole, of the others those tokens that the cosine tells to be newest.

    >>> import torch
    >>> still, moved = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> DropRepeated(keep=0.5).reduce(torch.stack([still, moved, moved]), "cat").places
    ((0, 1), (1,), ())
    """

    whole_frame: ClassVar[str | None] = "keeps the first frame"

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        frames, per_frame = video.frames, video.per_frame
        count = self.count(frames, per_frame)
        likeness, before = [], list[Tensor]()  # a number for each token stays of the frames that are looked at
        for _, tokens in video.parts(range(frames)):
            shown = torch.cat([*before, tokens]).float()
            likeness.append(F.cosine_similarity(shown[1:], shown[:-1], dim=-1).flatten())
            before = [tokens[-1:].clone()]  # a view would hold them all
        # stable: of tokens that are as new the earlier ones stay, on every machine
        newest = torch.cat(likeness).argsort(stable=True)[: count - per_frame] + per_frame
        chosen = [*range(per_frame), *newest.tolist()]
        return KeptParts.picked(video, by_frame(chosen, frames, per_frame))
