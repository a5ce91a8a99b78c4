"""Attention to a prefix: one contract, three paths (decode.py chooses).

Each gives out and lse in float32, within 1e-4 of attention to the dequantised prefix in float32. So it is for bfloat16
queries too, taken as the numbers that they are, except that Triton multiplies those in TF32: each product of it is
within 2^-9 of its factors' norms. What the model is handed on is rounded to its own dtype afterwards.
"""

from collections.abc import Iterator
from functools import reduce
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from intpv.attention.compiled import compiled_attention
from intpv.attention.decode import chosen
from intpv.attention.flash import flash_attention
from intpv.attention.pieces import attend, merge


@runtime_checkable
class PrefixLayer(Protocol):
    """One layer of a prefix, which hands out dense blocks; a `PackedLayer` (reading.py) is read as it is stored."""

    def blocks(self) -> Iterator[tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]]: ...


def prefix_attention(
    q: Float[Tensor, "H R d"], packed_layer: PrefixLayer, scaling: float
) -> tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]:
    """Every row attends to the whole prefix -> out and lse, float32. BadInput where a path that was asked for cannot
    be run."""
    return PATHS[chosen(packed_layer, q.device)](q, packed_layer, scaling)


def eager_attention(
    q: Float[Tensor, "H R d"], layer: PrefixLayer, scaling: float
) -> tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]:
    """Block by block, each made dense: the reference that the other paths must equal."""
    return reduce(lambda done, new: merge(*done, *new), (attend(q, k, v, scaling) for k, v in layer.blocks()))


PATHS = {"eager": eager_attention, "compiled": compiled_attention, "triton": flash_attention}
