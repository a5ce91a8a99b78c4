"""The affine grid of a group: x_hat = q * scale + zero, q in 0 ... 2^b - 1.

Scale and zero are rounded to what is stored (float16) *before* the codes are chosen, the zero downwards and the scale
upwards. So the stored grid always covers its range and |x - x_hat| <= scale / 2 holds for the stored scale, up to
float32 arithmetic. With rounding to nearest a channel of large offset (Qwen2's key bias) would miss its own extremes by
far more than scale / 2.
"""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def grid(low: Float[Tensor, "*shape"], high: Float[Tensor, "*shape"], bits: int, metadata: torch.dtype) -> tuple:
    """Scale and zero, as they are stored, of the 2^b values that reach from `low` to `high`."""
    zero = _round_towards(low, metadata, -math.inf)
    return _round_towards((high - zero.float()) / (2**bits - 1), metadata, math.inf), zero


def encode(x: Float[Tensor, "*shape"], scale: Tensor, zero: Tensor, bits: int) -> UInt8[Tensor, "*shape"]:
    """The codes nearest to float32 x; scale and zero broadcast. All 0 where the scale is 0."""
    steps = torch.where(scale > 0, (x - zero.float()) / scale.float(), 0)
    return steps.clamp_(0, 2**bits - 1).round_().to(torch.uint8)


def decode(codes: UInt8[Tensor, "*shape"], scale: Tensor, zero: Tensor) -> Float[Tensor, "*shape"]:
    """x_hat in float32; scale and zero broadcast."""
    return codes.float().mul_(scale.float()).add_(zero.float())


def _round_towards(x: Tensor, dtype: torch.dtype, side: float) -> Tensor:
    """The value of `dtype` nearest to float32 x that is not on the other side of it; x itself for float32."""
    near = x.to(dtype)
    wrong_side = near.float() < x if side > 0 else near.float() > x
    return torch.where(wrong_side, torch.nextafter(near, torch.full_like(near, side)), near)
