"""Time bins: frames of two models that saw different numbers of them, matched by timestamp."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.attention_kl.key_groups import FIRST_FRAME
from intpv.errors import BadInput

Bins = Int[Tensor, "_"]


def time_bins(reference: Sequence[float], modified: Sequence[float]) -> tuple[Bins, Bins, int]:
    """The bin of each frame of both models, matched by timestamp (seconds), and how many bins there are.

    A bin is what lies nearest to one instant of the model that saw fewer: 8 against 32 frames, both in the middle of
    equal parts, gives 8 bins of 4. Other sampling gives bins of unlike size, which even attention would fill unlike.
    """
    if not reference or not modified:
        raise BadInput(f"time bins need frames on both sides, got {len(reference)} and {len(modified)}")
    sides = [torch.tensor(times, dtype=torch.float64) for times in (reference, modified)]
    centres = min((times.unique() for times in sides), key=len)
    ours, theirs = ((times[:, None] - centres).abs().argmin(1) for times in sides)
    return ours, theirs, len(centres)


def binned(lse: Float[Tensor, "H R G"], bins: Int[Tensor, " F"], count: int) -> Float[Tensor, "H R bins_and_kinds"]:
    """Frames put together into `count` bins of time; sink, text and question stay."""
    frames = lse[..., FIRST_FRAME:]
    together = [frames[..., bins == one].logsumexp(-1) for one in range(count)]
    return torch.cat([lse[..., :FIRST_FRAME], torch.stack(together, -1)], -1)
