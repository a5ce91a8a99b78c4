"""Temporal merge: tokens averaged with the most alike of the frame before (ToMe's matching, 2210.09461, in time)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from intpv.budget.budget import Kept, ShareBudget, by_frame


@dataclass(frozen=True, kw_only=True)
class TemporalMerge(ShareBudget):
    """Every other frame offers its tokens to the frame before it, the most alike are merged first, and so on with the
    frames that are left, until as few tokens are. A mean is weighted by how many tokens it stands for, and stands where
    the earliest of them did.

    >>> import torch
    >>> video = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 3.0], [-1.0, 0.0]]])
    >>> kept = TemporalMerge(keep=0.75).reduce(video, "cat")
    >>> kept.places, kept.tokens.tolist()
    (((0, 1), (1,)), [[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    """

    whole_frame: ClassVar[str | None] = "leaves at least a frame"

    def reduce(self, tokens: Float[Tensor, "F P D"], video_id: str) -> Kept:
        frames, per_frame = tokens.shape[:2]
        count = self.count(frames, per_frame)
        means, sizes = tokens.flatten(0, 1).float(), torch.ones(frames * per_frame, device=tokens.device)
        left = torch.ones(frames * per_frame, dtype=torch.bool, device=tokens.device)
        while (extra := int(left.sum()) - count) > 0:
            sources, targets, likeness = _matched(means, left, per_frame)
            best = likeness.argsort(descending=True, stable=True)[:extra]
            sources, targets = sources[best], targets[best]
            sums = (means * sizes[:, None]).index_add(0, targets, means[sources] * sizes[sources, None])
            sizes = sizes.index_add(0, targets, sizes[sources])
            means = torch.where(left[:, None], sums / sizes[:, None], means)
            left[sources] = False
        chosen = left.nonzero()[:, 0]
        return Kept(means[chosen].to(tokens.dtype), by_frame(chosen.tolist(), frames, per_frame))


def _matched(
    means: Float[Tensor, "n D"], left: Tensor, per_frame: int
) -> tuple[Tensor, Tensor, Float[Tensor, " sources"]]:
    """Of every other frame that has tokens left: these, the most alike of each in the frame before, and how alike."""
    unit = F.normalize(means, dim=-1).unflatten(0, (-1, per_frame))
    there = left.unflatten(0, (-1, per_frame))
    shown = there.any(1).nonzero()[:, 0]
    before, offering = shown[: len(shown) // 2 * 2].unflatten(0, (-1, 2)).unbind(1)
    cosines = unit[offering] @ unit[before].transpose(1, 2)
    cosines = cosines.masked_fill(~there[before][:, None], -2.0)  # below every cosine
    likeness, place = cosines.max(-1)
    is_source = there[offering]
    steps = torch.arange(per_frame, device=means.device)
    sources, targets = offering[:, None] * per_frame + steps, before[:, None] * per_frame + place
    return sources[is_source], targets[is_source], likeness[is_source]
