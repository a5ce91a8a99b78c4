"""Temporal merge: tokens averaged with the most alike of the frame before (ToMe's matching, 2210.09461, in time)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from intpv.budget.budget import ShareBudget, by_frame
from intpv.budget.frame_tokens import FrameTokens, KeptParts

Means = tuple[Float[Tensor, "n P D"], Float[Tensor, "n P"]]  # of frames in a row, and how many tokens each stands for


@dataclass(frozen=True, kw_only=True)
class TemporalMerge(ShareBudget):
    """Every other frame offers its tokens to the frame before it, the most alike are merged first, and so on with the
    frames that are left, until as few tokens are. A mean is weighted by how many tokens it stands for, and stands where
    the earliest of them did.

    A round that merges all that is offered asks for no more than pairs of frames; what the last one chooses from, at
    most twice as many tokens as are left, is held.

    >>> import torch
    >>> video = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 3.0], [-1.0, 0.0]]])
    >>> kept = TemporalMerge(keep=0.75).reduce(video, "cat")
    >>> kept.places, kept.tokens.tolist()
    (((0, 1), (1,)), [[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    """

    whole_frame: ClassVar[str | None] = "leaves at least a frame"

    def reduce_parts(self, video: FrameTokens, video_id: str) -> KeptParts:
        frames, per_frame = video.frames, video.per_frame
        count, left, dtypes = self.count(frames, per_frame), frames, list[torch.dtype]()

        def shown() -> Iterator[Means]:
            for part, tokens in video.parts(range(frames)):
                dtypes[:] = [tokens.dtype]
                yield tokens.float(), torch.ones(len(part), per_frame, device=tokens.device)

        stream, apart = shown(), 1  # frames from one that is left to the next
        while (extra := left * per_frame - count) > 0 and extra >= left // 2 * per_frame:
            stream, left, apart = _halved(stream), (left + 1) // 2, 2 * apart
        means, is_left = _merged(_joined(stream), extra)
        chosen = is_left.nonzero().tolist()
        places = by_frame([frame * apart * per_frame + place for frame, place in chosen], frames, per_frame)
        return KeptParts.held(means[0][is_left].to(dtypes[0]), places)


def _halved(stream: Iterable[Means]) -> Iterator[Means]:
    """Every other frame merged into the one before it; the last one stays where there is none behind it."""
    waiting: list[Means] = []
    for part in stream:
        means, sizes = _joined([*waiting, part])
        pairs = len(means) // 2 * 2
        waiting = [(means[pairs:], sizes[pairs:])] if pairs < len(means) else []
        if pairs:
            merged, merged_sizes = _merged((means[:pairs], sizes[:pairs]), pairs // 2 * means.shape[1])[0]
            yield merged[::2], merged_sizes[::2]
    yield from waiting


def _joined(parts: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    means, sizes = zip(*parts, strict=True)
    return torch.cat(means), torch.cat(sizes)


def _merged(frames: Means, extra: int) -> tuple[Means, Bool[Tensor, "n P"]]:
    """The `extra` tokens of every other frame that are most alike one of the frame before, into that one; and which
    tokens are left."""
    means, sizes = frames
    count, per_frame = sizes.shape
    unit = F.normalize(means[: count // 2 * 2], dim=-1)
    likeness, place = (unit[1::2] @ unit[::2].transpose(1, 2)).max(-1)
    best = likeness.flatten().argsort(descending=True, stable=True)[:extra]
    first = best // per_frame * 2 * per_frame  # token of the frame before
    sources, targets = first + per_frame + best % per_frame, first + place.flatten()[best]
    flat, weights = means.flatten(0, 1), sizes.flatten()
    sums = (flat * weights[:, None]).index_add(0, targets, flat[sources] * weights[sources, None])
    weights = weights.index_add(0, targets, weights[sources])
    left = torch.ones_like(weights, dtype=torch.bool)
    left[sources] = False
    return ((sums / weights[:, None]).view_as(means), weights.view_as(sizes)), left.view_as(sizes)
