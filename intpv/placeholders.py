"""Placeholders: which tokens of a transformers prompt stand for video, and the layout that follows from them."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedConfig

from intpv.errors import BadInput
from intpv.layout import Layout, Span

NAMES = (
    "video_token_id",
    "video_token_index",
    "image_token_id",
    "image_token_index",
)  # of a config, by model and version


def visual_tokens(ids: Int[Tensor, " S"], config: PreTrainedConfig) -> Bool[Tensor, " S"]:
    """Which tokens of a prompt stand for a part of a frame."""
    stated = {getattr(config, name, None) for name in NAMES} - {None}
    return torch.isin(ids, torch.tensor(sorted(stated)))


def layout_of(is_visual: Bool[Tensor, " S"], frames: int) -> Layout:
    """Spans of a prompt from which tokens are a frame's (S,), up to the last of them.

    One run of tokens is cut into `frames` equal frames, the rest that is left over (a closing token) being text;
    several runs are a frame each. BadInput where neither fits, and where no question follows.
    """
    flags = is_visual.tolist()
    if True not in flags:
        raise BadInput(f"an extended model needs a video before the question, got {len(flags)} tokens of text")
    spans: list[list] = []
    for flag in flags[: len(flags) - flags[::-1].index(True)]:
        if spans and spans[-1][0] == flag:
            spans[-1][1] += 1
        else:
            spans.append([flag, 1])
    runs = [length for flag, length in spans if flag]
    if len(runs) == 1:
        per_frame, left = divmod(runs[0], frames)
        if per_frame == 0 or left >= per_frame:
            raise BadInput(f"{runs[0]} tokens of video cannot be {frames} frames of one length")
        before = [Span(length) for flag, length in spans if not flag]
        shown = [Span(per_frame, float(i)) for i in range(frames)]
        found = (*before, *shown, *([Span(left)] * bool(left)))
    elif len(runs) == frames:
        times = iter(range(frames))
        found = tuple(Span(length, float(next(times)) if flag else None) for flag, length in spans)
    else:
        raise BadInput(f"the prompt must hold {frames} frames, got {len(runs)} runs of visual tokens")
    layout = Layout(found)
    if layout.length == len(flags):
        raise BadInput(f"an extended model needs a question after the video, got none after {layout.length} tokens")
    return layout
