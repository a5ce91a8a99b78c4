"""What becomes of a video's prefix after prefill: kept as it is (`none`) or packed into b bits (int8, int4, int2)."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.packed import PackedLayer, PackedPrefix
from intpv.kv_quant.packing import codes_per_byte
from intpv.kv_quant.runs import DenseRun, QuantisedRun
from intpv.layout import Layout

log = logging.getLogger(__name__)

Layers = Sequence[tuple[Float[Tensor, "H_kv S d"], Float[Tensor, "H_kv S d"]]]
METADATA_BYTES = 4  # a float16 scale and a float16 zero


@dataclass(frozen=True)
class NoQuant:
    """Keep the prefix in full precision: the tensors themselves, nothing copied."""

    def pack(self, layers: Layers, layout: Layout, angles: Float[Tensor, "S half"] | None) -> PackedPrefix:
        """See `KVQuant.pack`."""
        return _prefix(layers, layout, [PackedLayer((DenseRun(keys, values),)) for keys, values in layers], 0)

    def closed_form_bytes(self, *, layers: int, kv_heads: int, head_dim: int, length: int, element_size: int) -> int:
        """2 * L * H_kv * S * d elements."""
        return 2 * layers * kv_heads * length * head_dim * element_size


@dataclass(frozen=True, kw_only=True)
class KVQuant:
    """Group quantisation, keys per channel and values per token; the ends of the prefix stay in full precision.

    The first tokens are attention sinks: they carry much of the mass, and an error there is an error in every answer.
    The tail may be 0 because the question never enters the prefix.
    """

    bits: int  # 2, 4 or 8
    key_group: int  # tokens that share a scale, per channel
    value_group: int  # channels that share a scale, per token; divides the head dim
    sinks: int = 4  # tokens in full precision at the start
    tail: int = 0  # tokens in full precision at the end

    def __post_init__(self):
        if self.bits not in (2, 4, 8):
            raise BadInput(f"kv_quant.bits must be 2, 4 or 8, got {self.bits}")
        for name, least in (("key_group", 1), ("value_group", 1), ("sinks", 0), ("tail", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"kv_quant.{name} must be at least {least}, got {getattr(self, name)}")

    def pack(self, layers: Layers, layout: Layout, angles: Float[Tensor, "S half"] | None) -> PackedPrefix:
        """Full-precision keys (after rotation) and values of every layer -> packed prefix that holds no view into them.

        `angles` is the prefix' rotation, positions x inv_freq. Keys are grouped as they are rotated here, so it goes
        unused; it is in the signature because a policy that groups keys before rotation must undo it, and the caller
        should not know which. Raises BadInput where the shapes do not fit or where nothing at all would be quantised.
        """
        length, head_dim = layers[0][0].shape[1:]
        codes_per_byte(self.bits, head_dim)
        if head_dim % self.value_group:
            raise BadInput(f"kv_quant.value_group must divide the head dim {head_dim}, got {self.value_group}")
        quantised = max(0, length - self.sinks - self.tail)
        share = f"{quantised} of {length} prefix tokens (kv_quant.sinks={self.sinks}, kv_quant.tail={self.tail})"
        if quantised == 0:
            raise BadInput(f"int{self.bits} would quantise {share}")
        if quantised < length / 2:
            log.warning("int%d quantises only %s: the rest stays in full precision", self.bits, share)
        return _prefix(layers, layout, [self._pack_layer(keys, values) for keys, values in layers], quantised)

    def _pack_layer(self, keys: Float[Tensor, "H_kv S d"], values: Float[Tensor, "H_kv S d"]) -> PackedLayer:
        start, stop = self.sinks, keys.shape[1] - self.tail
        groups = {"bits": self.bits, "key_group": self.key_group, "value_group": self.value_group}
        runs = (
            # cloned: a slice would keep the whole dense cache alive
            DenseRun(keys[:, :start].clone(), values[:, :start].clone()),
            QuantisedRun.of(keys[:, start:stop], values[:, start:stop], **groups),
            DenseRun(keys[:, stop:].clone(), values[:, stop:].clone()),
        )
        return PackedLayer(tuple(run for run in runs if run.length))

    def closed_form_bytes(self, *, layers: int, kv_heads: int, head_dim: int, length: int, element_size: int) -> int:
        """Bytes of a packed prefix, to the byte; `element_size` is that of the model's dtype, for the exempt tokens."""
        quantised = length - self.sinks - self.tail
        codes = 2 * quantised * head_dim * self.bits // 8
        groups = math.ceil(quantised / self.key_group) * head_dim + quantised * head_dim // self.value_group
        exempt = 2 * (self.sinks + self.tail) * head_dim * element_size
        return layers * kv_heads * (codes + METADATA_BYTES * groups + exempt)


def _prefix(layers: Layers, layout: Layout, packed: list[PackedLayer], quantised: int) -> PackedPrefix:
    keys = layers[0][0]
    if layout.length != keys.shape[1]:
        raise ValueError(f"the layout must have as many tokens as the cache, {keys.shape[1]}, got {layout.length}")
    elements = 2 * len(layers) * keys.numel()
    return PackedPrefix(
        layers=packed, length=keys.shape[1], quantised_length=quantised, elements=elements, dtype=keys.dtype
    )
