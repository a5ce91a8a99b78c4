"""Attention to dense keys and values by torch's own fused kernel, with its log-sum-exp: what anyone runs without us.

In float32 it is within 1e-4 of `attend`. In 16 bits it is rounded as that kernel rounds, weights and result to the
dtype of the queries (2^-9 of the largest value in bfloat16), so that a prefix that nobody quantised is read as fast,
and as exactly, as transformers reads its own cache.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.backends.cuda import SDPAParams, can_use_efficient_attention, can_use_flash_attention

from intpv.attention.softmax import Attended, attend, merged
from intpv.kv_quant.packed import Run

aten = torch.ops.aten
ROWS = 512  # of a causal map, where the device has no kernel
ALIGNED = 8  # elements: what CUDA kernels want head dims and the rows of a mask to be a multiple of


def attend_dense_run(q: Float[Tensor, "H R d"], run: Run, scaling: float) -> Attended:
    """See `prefix_attention`, of a run whose keys and values are both stored dense."""
    keys, values = (side.piece(0, run.length) for side in (run.keys, run.values))
    return _by_kernel(q, keys, values, scaling, None) or merged(
        attend(q, k, v, scaling)
        for k, v in run.blocks()  # in pieces: 16 bits are float32 for a while
    )


def fused_attention(
    q: Float[Tensor, "H R d"],
    k: Float[Tensor, "H_kv t d"],
    v: Float[Tensor, "H_kv t d"],
    scaling: float,
    mask: Shaped[Tensor, "R t"] | None = None,
) -> Attended:
    """Softmax attention to one set of keys -> out and lse, float32; by `attend` where the device has no such kernel.

    `mask` as `attend` takes it. Every row must see a key.
    """
    return _by_kernel(q, k, v, scaling, mask) or attend(q, k, v, scaling, mask)


def causal_attention(
    q: Float[Tensor, "n H t d"], k: Float[Tensor, "n H_kv t d"], v: Float[Tensor, "n H_kv t d"], scaling: float
) -> tuple[Float[Tensor, "n H t d"], Float[Tensor, "n H t"]]:
    """Of n sequences, row i of each to its keys 0 ... i -> out and lse, float32; nothing is masked in vain."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) if x.shape[1] < q.shape[1] else x for x in (k, v))
    if (kernel := _kernel(q, k, v, None)) is not None:
        out, lse = kernel(q, k, v, None, scaling, True)
        return out.float(), lse
    rows = range(0, q.shape[2], ROWS)  # so that no map of all rows is made
    parts = [[_triangle(*sequence, i, scaling) for i in rows] for sequence in zip(q, k, v, strict=True)]
    outs, lses = zip(*((torch.cat(x, 1) for x in zip(*of, strict=True)) for of in parts), strict=True)
    return torch.stack(outs), torch.stack(lses)


def _triangle(q: Tensor, k: Tensor, v: Tensor, start: int, scaling: float) -> Attended:
    stop = min(start + ROWS, q.shape[1])
    mask = torch.ones(stop - start, stop, dtype=torch.bool, device=q.device).tril(start)
    return attend(q[:, start:stop], k[:, :stop], v[:, :stop], scaling, mask)


def _by_kernel(q: Tensor, k: Tensor, v: Tensor, scaling: float, mask: Tensor | None) -> Attended | None:
    bias = None
    if mask is None:  # the heads that share a key head become further rows of it
        rows, k, v = q.reshape(1, len(k), -1, q.shape[2]), k[None], v[None]
    else:  # is of R rows
        rows, bias = q[None], _bias(mask, q.dtype)
        k, v = (x[:, None].expand(-1, len(q) // len(x), -1, -1).flatten(0, 1)[None] for x in (k, v))
    kernel = _kernel(rows, k, v, bias)
    if kernel is None:
        return None
    out, lse = kernel(rows, k, v, bias, scaling)
    return out.reshape(q.shape).float(), lse.reshape(q.shape[:2])


def _kernel(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Callable | None:
    """The device's own, as torch chooses; None where there is none, or where torch would refuse these numbers."""
    if not q.dtype == k.dtype == v.dtype:
        return None
    if q.device.type == "cpu":
        return _cpu
    if q.device.type != "cuda" or q.shape[-1] % ALIGNED:
        return None
    given = SDPAParams(q, k, v, bias, 0.0, False, False)
    if bias is None and can_use_flash_attention(given):
        return _flash
    return _efficient if can_use_efficient_attention(given) else None


def _cpu(q, k, v, bias, scaling: float, causal: bool = False) -> tuple[Tensor, Tensor]:
    return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, attn_mask=bias, scale=scaling)


def _flash(q, k, v, bias, scaling: float, causal: bool = False) -> tuple[Tensor, Tensor]:
    """Takes no mask. Its log-sum-exp is natural."""
    return aten._scaled_dot_product_flash_attention(q, k, v, 0.0, causal, scale=scaling)[:2]


def _efficient(q, k, v, bias, scaling: float, causal: bool = False) -> tuple[Tensor, Tensor]:
    """Its log-sum-exp is natural, and padded to whole blocks of rows."""
    if bias is not None:
        bias = bias.expand(1, q.shape[1], *bias.shape[2:])
    out, lse = aten._scaled_dot_product_efficient_attention(q, k, v, bias, True, 0.0, causal, scale=scaling)[:2]
    return out, lse[..., : q.shape[2]]


def _bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """(1, 1, R, t), to be added, in rows whose stride is a multiple of ALIGNED."""
    rows, tokens = mask.shape
    bias = mask.new_zeros(1, 1, rows, -(-tokens // ALIGNED) * ALIGNED, dtype=dtype)[..., :tokens]
    return bias.masked_fill_(~mask, -torch.inf) if mask.dtype == torch.bool else bias.copy_(mask)
