"""Asymmetric min/max quantisation of groups: x_hat = q * scale + zero, q in 0 ... 2^b - 1.

Keys are grouped per channel over tokens, values per token over channels (KIVI, arXiv 2402.02750): key channels differ
in size by an order of magnitude, so channels must not share a scale; value channels do not.

Scale and zero are rounded to what is stored (float16) *before* the codes are chosen, the zero downwards and the scale
upwards. So the stored grid always covers its group and |x - x_hat| <= scale / 2 holds for the stored scale, up to
float32 arithmetic. With rounding to nearest a channel of large offset (Qwen2's key bias) would miss its own extremes by
far more than scale / 2.
"""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.errors import BadInput


def quantise(
    x: Float[Tensor, "*group"], bits: int, dim: int, metadata: torch.dtype = torch.float16
) -> tuple[UInt8[Tensor, "*group"], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Codes, scale and zero of groups that lie along `dim`; scale and zero keep `dim` with size 1.

    A group whose values all equal one number of dtype `metadata` gets scale 0 and codes 0. Raises BadInput for NaN and
    for values beyond `metadata`'s range: a clamped zero would shift its whole group, silently.
    """
    x = x.float()
    low, high = x.aminmax(dim=dim, keepdim=True)
    largest, limit = torch.maximum(-low, high).amax().item(), torch.finfo(metadata).max
    if not largest <= limit:  # written so that NaN is refused too
        raise BadInput(f"keys and values must be at most {limit:g} to be stored with {metadata} zeros, got {largest:g}")
    levels = 2**bits - 1
    zero = _round_towards(low, metadata, -math.inf)
    scale = _round_towards((high - zero.float()) / levels, metadata, math.inf)
    steps = torch.where(scale > 0, (x - zero.float()) / scale.float(), 0)
    return steps.clamp_(0, levels).round_().to(torch.uint8), scale, zero


def _round_towards(x: Tensor, dtype: torch.dtype, side: float) -> Tensor:
    """The value of `dtype` nearest to float32 x that is not on the other side of it; x itself for float32."""
    near = x.to(dtype)
    wrong_side = near.float() < x if side > 0 else near.float() > x
    return torch.where(wrong_side, torch.nextafter(near, torch.full_like(near, side)), near)


def quantise_keys(
    keys: Float[Tensor, "H_kv t d"], bits: int, group: int, metadata: torch.dtype = torch.float16
) -> tuple[UInt8[Tensor, "H_kv t d"], Float[Tensor, "H_kv G d"], Float[Tensor, "H_kv G d"]]:
    """Per channel over `group` tokens; the last group has its true length."""
    tokens = keys.shape[1]
    missing = -tokens % group  # filled with the last token, which changes no extreme
    whole = torch.cat([keys, keys[:, -1:].expand(-1, missing, -1)], dim=1).unflatten(1, (-1, group))
    codes, scale, zero = quantise(whole, bits, 2, metadata)
    return codes.flatten(1, 2)[:, :tokens], scale.squeeze(2), zero.squeeze(2)


def quantise_values(
    values: Float[Tensor, "H_kv t d"], bits: int, group: int, metadata: torch.dtype = torch.float16
) -> tuple[UInt8[Tensor, "H_kv t d"], Float[Tensor, "H_kv t C"], Float[Tensor, "H_kv t C"]]:
    """Per token over `group` channels, C = d / group."""
    codes, scale, zero = quantise(values.unflatten(-1, (-1, group)), bits, -1, metadata)
    return codes.flatten(-2), scale.squeeze(-1), zero.squeeze(-1)


def dequantise_keys(
    codes: UInt8[Tensor, "H_kv t d"],
    scale: Float[Tensor, "H_kv G d"],
    zero: Float[Tensor, "H_kv G d"],
    group: int,
    start: int = 0,
) -> Float[Tensor, "H_kv t d"]:
    """Keys in float32. `start` is the first token's index in the run whose groups `scale` and `zero` are."""
    tokens = codes.shape[1]
    first, stop = start // group, -(-(start + tokens) // group)
    of_token = torch.arange(start, start + tokens, device=codes.device) // group - first
    scale, zero = (x[:, first:stop].float().index_select(1, of_token) for x in (scale, zero))
    return codes.float().mul_(scale).add_(zero)


def dequantise_values(
    codes: UInt8[Tensor, "H_kv t d"], scale: Float[Tensor, "H_kv t C"], zero: Float[Tensor, "H_kv t C"]
) -> Float[Tensor, "H_kv t d"]:
    """Values in float32."""
    grouped = codes.float().unflatten(-1, (scale.shape[-1], -1))
    return grouped.mul_(scale.float().unsqueeze(-1)).add_(zero.float().unsqueeze(-1)).flatten(-2)
