"""Contract: how far each path of attention to a prefix is from attention to the dequantised prefix in float64."""

from collections.abc import Iterator, Sequence
from math import prod

import torch
from torch import Tensor

from intpv.attention.prefix import chosen, prefix_attention
from intpv.kv_quant.packed import PackedLayer
from intpv.options import option

from ..kv.layer_speed import Shape

EXACT = 1e-4  # what float32 may be off


def contract(shape: Shape, frames: int, patches: int, names: Sequence[str], rows: Sequence[int]) -> dict:
    """Per policy and number of rows: the path taken and the largest errors of out and lse, beside their bounds."""
    specimen, found = shape.specimen(frames, patches), {}
    for name in names:
        packed = option("kv_quant", name).pack(specimen.layers, specimen.layout, specimen.angles)
        found[name] = dict(_errors(packed.layers[0], shape, rows))
    return {"tokens": specimen.layout.length, "dtype": str(shape.dtype).removeprefix("torch."), "options": found}


def _errors(layer: PackedLayer, shape: Shape, rows: Sequence[int]) -> Iterator[tuple[str, dict]]:
    scaling = shape.head_dim**-0.5
    keys, values = (torch.cat(side, 1) for side in zip(*layer.blocks(), strict=True))
    for count in rows:
        generator = torch.Generator(shape.device).manual_seed(count)
        size = shape.heads, count, shape.head_dim
        q = torch.randn(size, generator=generator, dtype=shape.dtype, device=shape.device)
        pairs = zip(prefix_attention(q, layer, scaling), _judge(q, keys, values, scaling), strict=True)
        out, lse = ((got.double() - want).abs().max().item() for got, want in pairs)
        bounds = _bounds(q, keys, values, scaling)
        yield (
            str(count),
            {"path": chosen(layer, shape.device), "out": out, "lse": lse, **bounds}
            | {"holds": out <= bounds["out_bound"] and lse <= bounds["lse_bound"]},
        )


def _judge(q: Tensor, keys: Tensor, values: Tensor, scaling: float) -> tuple[Tensor, Tensor]:
    """Head by head: scores in float64 are large."""
    outs, lses = [], []
    for head in range(len(q)):
        scores = q[head].double() @ keys[head * len(keys) // len(q)].double().mT * scaling
        outs.append(scores.softmax(-1) @ values[head * len(keys) // len(q)].double())
        lses.append(scores.logsumexp(-1))
    return torch.stack(outs), torch.stack(lses)


def _bounds(q: Tensor, keys: Tensor, values: Tensor, scaling: float) -> dict[str, float]:
    """In 16 bits a product is within 2^-9 of its factors' norms; a logit's error moves a mean by twice that."""
    if q.dtype == torch.float32:
        return {"out_bound": EXACT, "lse_bound": EXACT}
    norms = (x.float().norm(dim=-1).max().item() for x in (q, keys))
    logit = 2**-9 * prod(norms) * scaling
    largest = values.float().abs().max().item()
    return {"out_bound": (2 * logit + 2**-8) * largest + EXACT, "lse_bound": logit + EXACT}
