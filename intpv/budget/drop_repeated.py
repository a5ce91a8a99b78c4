"""Drop repeated: tokens that are most like the one at the same place a frame before go (as EVS of vLLM, 2510.14624)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from intpv.budget.budget import Kept, ShareBudget, by_frame


@dataclass(frozen=True, kw_only=True)
class DropRepeated(ShareBudget):
    """The first frame stays whole, of the others those tokens that the cosine tells to be newest.

    >>> import torch
    >>> still, moved = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> DropRepeated(keep=0.5).reduce(torch.stack([still, moved, moved]), "cat").places
    ((0, 1), (1,), ())
    """

    whole_frame: ClassVar[str | None] = "keeps the first frame"

    def reduce(self, tokens: Float[Tensor, "F P D"], video_id: str) -> Kept:
        frames, per_frame = tokens.shape[:2]
        count = self.count(frames, per_frame)
        likeness = F.cosine_similarity(tokens[1:].float(), tokens[:-1].float(), dim=-1)
        # stable: of tokens that are as new the earlier ones stay, on every machine
        newest = likeness.flatten().argsort(stable=True)[: count - per_frame] + per_frame
        chosen = [*range(per_frame), *sorted(newest.tolist())]
        flat = tokens.flatten(0, 1)
        return Kept(flat[torch.tensor(chosen, device=flat.device)], by_frame(chosen, frames, per_frame))
