"""Packing: codes of b bits, 8/b of them in one byte, along the channels.

Byte j of a row holds channels j, j + d/n, j + 2d/n, ... (n = 8/b), the first in the lowest bits. So unpacking is one
shift and one mask per n-th of the row, and every n-th is a contiguous slice: nothing is interleaved.
"""

import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from intpv.errors import BadInput


def codes_per_byte(bits: int, channels: int) -> int:
    """n = 8/b. Raises BadInput unless b is 2, 4 or 8 and n divides the row."""
    if bits not in (2, 4, 8):
        raise BadInput(f"kv_quant.bits must be 2, 4 or 8, got {bits}")
    if channels % (8 // bits):
        raise BadInput(f"{bits}-bit codes fill bytes only if {8 // bits} divides the head dim, got head dim {channels}")
    return 8 // bits


def pack(codes: UInt8[Tensor, "*rows d"], bits: int) -> UInt8[Tensor, "*rows bytes"]:
    """Codes below 2^b -> bytes, (..., d) -> (..., d * b / 8). Always a new tensor of exactly that size."""
    n = codes_per_byte(bits, codes.shape[-1])
    slices = rearrange(codes, "... (n j) -> n ... j", n=n)
    packed = slices[0].clone(memory_format=torch.contiguous_format)
    for i in range(1, n):
        packed |= slices[i] << bits * i
    return packed


def unpack(packed: UInt8[Tensor, "*rows bytes"], bits: int) -> UInt8[Tensor, "*rows d"]:
    """Bytes -> codes, the inverse of `pack`. At 8 bits the bytes themselves."""
    if bits == 8:
        return packed
    mask = 2**bits - 1
    return torch.cat([(packed >> shift) & mask for shift in range(0, 8, bits)], dim=-1)
