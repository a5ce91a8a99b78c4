"""Rows: one layer's prefix read by several query rows at once, as a video's questions are, beside dense attention."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch.nn.functional import scaled_dot_product_attention

from intpv.attention.prefix import prefix_attention

from .allowance import Allowances
from .layer_speed import PATCHES, Shape, held_by, times_as_long
from .ours import Ours
from .speed import interleaved

DENSE = "dense"  # torch's own attention to unquantised keys and values


def row_speed(
    shape: Shape,
    tokens: int,
    counts: Sequence[int],
    presets: Mapping[str, Ours],
    decodes: tuple[str, ...],
    rounds: int,
    allowances: Allowances,
) -> dict:
    """Per number of rows and method: milliseconds, and how many times as long as dense attention, round by round."""
    specimen, scaling = shape.specimen(tokens // PATCHES, PATCHES), shape.head_dim**-0.5
    keys, values = (side[None] for side in specimen.layers[0])
    layers = {name: one.held.layers[0] for name, _, one, _ in held_by(specimen, presets, decodes, allowances)}
    found = {}
    for count in counts:
        generator = torch.Generator(shape.device).manual_seed(count)
        size = shape.heads, count, shape.head_dim
        q = torch.randn(size, generator=generator, dtype=shape.dtype, device=shape.device)
        steps = {DENSE: partial(scaled_dot_product_attention, q[None], keys, values, scale=scaling)}
        steps |= {name: partial(prefix_attention, q, layer, scaling) for name, layer in layers.items()}
        times = interleaved(steps, rounds, shape.device)
        for row in times.values():
            row["times_dense"] = times_as_long(times[DENSE]["rounds"], row["rounds"])
        found[str(count)] = times
    return {"tokens": tokens, "rows": found}
