"""Placeholders: which tokens of a transformers prompt stand for video, and the layout that follows from them."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedConfig

from intpv.errors import BadInput
from intpv.layout import Layout, Span
from intpv.rope_strategy.strategy import counts

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


def layout_of(is_visual: Bool[Tensor, " S"], frames: int, positions: Int[Tensor, "A S"] | None = None) -> Layout:
    """Spans of a prompt from which tokens are a frame's (S,), up to the last of them.

    One run of tokens is cut into `frames` equal frames, the rest that is left over (a closing token) being text;
    several runs are a frame each. `positions` are the model's own, where it has three axes the grids are read from
    them. BadInput where none of this fits, and where no question follows.
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
    return layout if positions is None else _at(layout, positions)


def _at(layout: Layout, positions: Int[Tensor, "A S"]) -> Layout:
    """The same spans with the grids that lead to these positions; BadInput where none do."""
    if len(positions) > 1:
        starts = torch.tensor([0, *(span.length for span in layout.spans)]).cumsum(0).tolist()
        stands = []  # where the sequence stands before each span, and before the question
        for span, start in zip((*layout.spans, Span(1)), starts, strict=True):
            inside = positions[1:, start : start + span.length] if span.is_frame else positions[:, start]
            stands.append(int(inside.min()))
        spans = []
        for index, span in enumerate(layout.spans):
            if span.is_frame:
                taken = positions[:, starts[index] : starts[index + 1]] - stands[index]
                rows, columns = (int(most) + 1 for most in taken[1:].amax(1))
                advance = stands[index + 1] - stands[index]
                span = replace(span, grid=(rows, columns), late=int(taken[0].min()), advance=advance)
            spans.append(span)
        layout = Layout(tuple(spans))
    for span in layout.spans:
        if span.grid is not None and span.grid[0] * span.grid[1] != span.length:
            raise BadInput(f"a frame of {span.length} tokens must be a grid of as many, its positions span {span.grid}")
    text, visual = counts(layout.ask(positions.shape[1] - layout.length))
    if off := int((text + visual != positions).any(0).sum()):
        raise BadInput(f"an extended model needs positions of text and frames in a row, got {off} tokens elsewhere")
    return layout
