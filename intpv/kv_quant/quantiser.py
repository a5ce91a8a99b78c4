"""Quantise groups: choose each one's grid, then the codes on it.

Unclipped, the zero is the group's least number and the scale a (2^b - 1)th of its range. At 2 bits the four values are
both extremes and the thirds between them, and the bins meet halfway: below 0.5 steps is 0, up to 1.5 is 1, up to 2.5 is
2, above is 3.

    >>> x = torch.tensor([0.0, 0.4, 0.6, 1.4, 1.6, 2.4, 2.6, 3.0]) - 8
    >>> codes, scale, zero = quantise(x.view(1, 1, 1, 8), bits=2)
    >>> codes.flatten().tolist(), scale.item(), zero.item()
    ([0, 0, 1, 1, 2, 2, 3, 3], 1.0, -8.0)
    >>> decode(codes, scale, zero).flatten().tolist()
    [-8.0, -8.0, -7.0, -7.0, -6.0, -6.0, -5.0, -5.0]

The zero is a number and not a code, so that no value has to be 0.0 itself: keys and values hold no padding that would
have to stay so, and a group far from 0 (a key channel with a large mean) spends its four values on its own range.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import product, repeat

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.compiler import broken_compiler
from intpv.errors import BadInput

# The affine grid of a group: x_hat = q * scale + zero, q in 0 ... 2^b - 1.
#
# Scale and zero are rounded to what is stored (float16) *before* the codes are chosen, the zero downwards and the scale
# upwards. So the stored grid always covers its range and |x - x_hat| <= scale / 2 holds for the stored scale, up to
# float32 arithmetic. With rounding to nearest a channel of large offset (Qwen2's key bias) would miss its own extremes
# by far more than scale / 2.


def grid(
    low: Float[Tensor, "*shape"], high: Float[Tensor, "*shape"], bits: int, metadata: torch.dtype
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Scale and zero, as they are stored, of the 2^b values that reach from `low` to `high`.

    >>> scale, zero = grid(torch.tensor(0.0), torch.tensor(3.0), bits=2, metadata=torch.float16)  # 0, 1, 2, 3
    >>> scale.item(), zero.item()
    (1.0, 0.0)
    """
    zero = _round_towards(low, metadata, -math.inf)
    return _round_towards((high - zero.float()) / (2**bits - 1), metadata, math.inf), zero


def encode(x: Float[Tensor, "*shape"], scale: Tensor, zero: Tensor, bits: int) -> UInt8[Tensor, "*shape"]:
    """The codes nearest to float32 x; scale and zero broadcast. All 0 where the scale is 0.

    >>> encode(torch.tensor([0.0, 1.4, 1.6, 9.0]), scale=torch.tensor(1.0), zero=torch.tensor(0.0), bits=2).tolist()
    [0, 1, 2, 3]
    """
    steps = torch.where(scale > 0, (x - zero.float()) / scale.float(), 0)
    return steps.clamp_(0, 2**bits - 1).round_().to(torch.uint8)


def decode(codes: UInt8[Tensor, "*shape"], scale: Tensor, zero: Tensor) -> Float[Tensor, "*shape"]:
    """x_hat in float32; scale and zero broadcast.

    >>> decode(torch.tensor([0, 3], dtype=torch.uint8), scale=torch.tensor(0.5), zero=torch.tensor(-8.0)).tolist()
    [-8.0, -6.5]
    """
    return codes.float().mul_(scale.float()).add_(zero.float())


def _round_towards(x: Tensor, dtype: torch.dtype, side: float) -> Tensor:
    """The value of `dtype` nearest to float32 x that is not on the other side of it; x itself for float32."""
    near = x.to(dtype)
    wrong_side = near.float() < x if side > 0 else near.float() > x
    return torch.where(wrong_side, torch.nextafter(near, torch.full_like(near, side)), near)


# Clip search: at few bits a grid narrower than its group has less error, for extremes are rare (SKVQ, 2405.06219).
#
# The same bytes, only the stored scale and zero differ. The least squared error is not the least error of attention: it
# clips the keys that stand out, which are those attention looks for. So the search has a floor, the share of a group's
# range that its grid keeps. At 2 bits 0.85 of keys and 0.8 of values did best on the mini model and well on synthetic
# data, 0.6 in a Hadamard basis; at 4 bits clipped keys do harm.


CUTS = 3  # places tried for either end, the first of them the extreme itself
HOT = 2**18  # numbers at once, 1 MiB: all nine grids are tried on them while they are in a CPU's cache


def search(
    x: Float[Tensor, "a b c g"],
    low: Tensor,
    high: Tensor,
    bits: int,
    floor: float,
    metadata: torch.dtype,
    weight: Float[Tensor, "a b c g"] | None = None,
) -> tuple[Tensor, Tensor]:
    """Scale and zero with the least squared error of each group among grids that keep `floor` of low ... high.

    Either end moves in by itself, by up to half of what may go. Of equals the widest; never worse than the whole range.
    Each member counts by its `weight`, where x are a histogram's bins.

    >>> x = torch.tensor([0.0, 1.0, 2.0, 3.0] * 8 + [4.0]).view(1, 1, 1, 33)  # 4 is rare
    >>> scale, zero = search(x, *x.aminmax(dim=-1, keepdim=True), bits=2, floor=0.5, metadata=torch.float16)
    >>> scale.item(), zero.item()  # 0, 1, 2, 3; unclipped it would be 0, 4/3, 8/3, 4
    (1.0, 0.0)
    """
    axis = 0 if x.shape[0] > 1 else 1
    if x.device.type == "cpu" and x.numel() > HOT and x.shape[axis] > 1:
        size = max(1, HOT * x.shape[axis] // x.numel())
        weights = repeat(None) if weight is None else weight.split(size, axis)
        pieces = zip(*(part.split(size, axis) for part in (x, low, high)), weights, strict=False)
        found = [search(part, least, most, bits, floor, metadata, of) for part, least, most, of in pieces]
        scales, zeros = zip(*found, strict=True)
        return torch.cat(scales, axis), torch.cat(zeros, axis)
    error_of, shape = _error_on(x.device), low.shape
    if x.device.type != "cpu":  # groups in one row, whatever they are of: compiled once, not for each granularity
        x, low, high = (part.reshape(-1, 1, 1, part.shape[-1]) for part in (x, low, high))
        weight = None if weight is None else weight.reshape(x.shape)
    step = (high - low) * ((1 - floor) / 2 / (CUTS - 1))
    scale, zero = grid(low, high, bits, metadata)
    least = error_of(x, scale, zero, bits, weight)
    for below, above in list(product(range(CUTS), repeat=2))[1:]:
        narrower = grid(low + below * step, high - above * step, bits, metadata)
        error = error_of(x, *narrower, bits, weight)
        better = error < least
        scale, zero = (torch.where(better, new, old) for new, old in zip(narrower, (scale, zero), strict=True))
        least = torch.where(better, error, least)
    return scale.view(shape), zero.view(shape)


@cache
def _error_on(device: torch.device) -> Callable[..., Tensor]:
    """Nine grids are tried, and on a GPU each would be ten passes over the memory of all keys: compiled it is one."""
    return _error if device.type == "cpu" or broken_compiler(device) else torch.compile(_error, dynamic=True)


def _error(x: Tensor, scale: Tensor, zero: Tensor, bits: int, weight: Tensor | None) -> Tensor:
    """Of `decode(encode(x))`, to the bit, in place and without the bytes between them."""
    scale, zero = scale.float(), zero.float()
    steps = (x - zero).div_(torch.where(scale > 0, scale, torch.inf)).clamp_(0, 2**bits - 1).round_()
    error = steps.mul_(scale).add_(zero).sub_(x).square_()
    return (error if weight is None else error.mul_(weight)).sum(-1, keepdim=True)


def quantise(
    x: Float[Tensor, "a b c g"], bits: int, clip: float = 1.0, metadata: torch.dtype = torch.float16
) -> tuple[UInt8[Tensor, "a b c g"], Float[Tensor, "a b c"], Float[Tensor, "a b c"]]:
    """Codes, scale and zero of groups whose members lie along the last axis; `clip` is the share of its
    range that a grid keeps at least, 1 all of it.

    A group whose values all equal one number of dtype `metadata` gets scale 0 and codes 0. Raises BadInput for NaN and
    for values beyond `metadata`'s range: a clamped zero would shift its whole group, silently.

    >>> codes, scale, zero = quantise(torch.tensor([5.0, 6.0, 7.0, 8.0]).view(1, 1, 1, 4), bits=2)
    >>> codes.flatten().tolist(), scale.item(), zero.item()
    ([0, 1, 2, 3], 1.0, 5.0)
    """
    x = x.float()
    low, high = x.aminmax(dim=-1, keepdim=True)
    largest, limit = torch.maximum(-low, high).amax().item(), torch.finfo(metadata).max
    if not largest <= limit:  # written so that NaN is refused too
        raise BadInput(f"keys and values must be at most {limit:g} to be stored with {metadata} zeros, got {largest:g}")
    scale, zero = search(x, low, high, bits, clip, metadata) if clip < 1 else grid(low, high, bits, metadata)
    return encode(x, scale, zero, bits), scale.squeeze(-1), zero.squeeze(-1)


# Packing: codes of b bits, 8/b of them in one byte, along the channels.
#
# Byte j of a row holds channels j, j + d/n, j + 2d/n, ... (n = 8/b), the first in the lowest bits. So unpacking is one
# shift and one mask per n-th of the row, and every n-th is a contiguous slice: nothing is interleaved.


def codes_per_byte(bits: int, channels: int) -> int:
    """n = 8/b. Raises BadInput unless b is 2, 4 or 8 and n divides the row.

    >>> codes_per_byte(2, channels=128)
    4
    """
    if bits not in (2, 4, 8):
        raise BadInput(f"kv_quant.bits must be 2, 4 or 8, got {bits}")
    if channels % (8 // bits):
        raise BadInput(f"{bits}-bit codes fill bytes only if {8 // bits} divides the head dim, got head dim {channels}")
    return 8 // bits


def pack(codes: UInt8[Tensor, "*rows d"], bits: int) -> UInt8[Tensor, "*rows bytes"]:
    """Codes below 2^b -> bytes, (..., d) -> (..., d * b / 8). Always a new tensor of exactly that size.

    >>> pack(torch.tensor([1, 2, 3, 0], dtype=torch.uint8), bits=2).tolist()  # 1 + 2 * 4 + 3 * 16 + 0 * 64
    [57]
    """
    n = codes_per_byte(bits, codes.shape[-1])
    slices = rearrange(codes, "... (n j) -> n ... j", n=n)
    packed = slices[0].clone(memory_format=torch.contiguous_format)
    for i in range(1, n):
        packed |= slices[i] << bits * i
    return packed


def unpack(packed: UInt8[Tensor, "*rows bytes"], bits: int) -> UInt8[Tensor, "*rows d"]:
    """Bytes -> codes, the inverse of `pack`. At 8 bits the bytes themselves.

    >>> unpack(torch.tensor([57], dtype=torch.uint8), bits=2).tolist()
    [1, 2, 3, 0]
    """
    if bits == 8:
        return packed
    mask = 2**bits - 1
    return torch.cat([(packed >> shift) & mask for shift in range(0, 8, bits)], dim=-1)
