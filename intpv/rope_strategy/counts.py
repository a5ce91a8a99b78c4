"""Counts: how many text and how many visual positions lie before each token of a layout, on each axis of its RoPE."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.layout import Layout, Span


def counts(layout: Layout) -> tuple[Int[Tensor, "1 {layout.length}"], Int[Tensor, "A {layout.length}"]]:
    """(1, S) and (A, S): their sum is the position of training. A is 1, or 3 where frames are grids (M-RoPE).

    Text advances all axes alike, so one row is enough for it.
    """
    axes = 3 if layout.has_grids else 1
    text, visual = 0, 0  # where the sequence stands
    texts, visuals = [torch.zeros(1, 0, dtype=torch.long)], [torch.zeros(axes, 0, dtype=torch.long)]
    for span in layout.spans:
        steps = torch.arange(span.length)
        if span.is_frame:
            texts.append(torch.full((1, span.length), text))
            visuals.append(visual + _inside(span, steps, axes))
            visual += span.length if span.advance is None else span.advance
        else:
            texts.append((text + steps)[None])
            visuals.append(torch.full((axes, span.length), visual))
            text += span.length
    return torch.cat(texts, 1), torch.cat(visuals, 1)


def position_ids(positions: Float[Tensor, "*A n"]) -> Float[Tensor, "..."]:
    """As transformers' text models take them: (1, n) for one axis, (3, 1, n) for three."""
    rows = positions.reshape(-1, positions.shape[-1])
    return rows if len(rows) == 1 else rows[:, None]


def _inside(span: Span, steps: Int[Tensor, " n"], axes: int) -> Int[Tensor, "A n"]:
    """A frame's own positions, from where the sequence stands."""
    if axes == 1:
        return steps[None]
    if span.grid is None or span.grid[0] * span.grid[1] != span.length:
        raise ValueError(f"a frame of {span.length} tokens must be a grid of as many, got {span.grid}")
    return torch.stack([torch.full_like(steps, span.late), steps // span.grid[1], steps % span.grid[1]])
