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

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.affine import decode, encode, grid  # noqa: F401  decode is shown above
from intpv.kv_quant.clip import search


def quantise(
    x: Float[Tensor, "a b c g"], bits: int, clip: float = 1.0, metadata: torch.dtype = torch.float16
) -> tuple[UInt8[Tensor, "a b c g"], Float[Tensor, "a b c"], Float[Tensor, "a b c"]]:
    """Codes, scale and zero of groups whose members lie along the last axis; `clip` is the share of its
    range that a grid keeps at least, 1 all of it.

    A group whose values all equal one number of dtype `metadata` gets scale 0 and codes 0. Raises BadInput for NaN and
    for values beyond `metadata`'s range: a clamped zero would shift its whole group, silently.
    """
    x = x.float()
    low, high = x.aminmax(dim=-1, keepdim=True)
    largest, limit = torch.maximum(-low, high).amax().item(), torch.finfo(metadata).max
    if not largest <= limit:  # written so that NaN is refused too
        raise BadInput(f"keys and values must be at most {limit:g} to be stored with {metadata} zeros, got {largest:g}")
    scale, zero = search(x, low, high, bits, clip, metadata) if clip < 1 else grid(low, high, bits, metadata)
    return encode(x, scale, zero, bits), scale.squeeze(-1), zero.squeeze(-1)
