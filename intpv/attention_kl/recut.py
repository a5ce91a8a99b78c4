"""Recut: the same prefix in other blocks, so that attention adds up in another order: what that changes is rounding."""

from collections.abc import Iterator
from dataclasses import dataclass

from intpv.attention.interface import Prefix
from intpv.attention.prefix import PrefixLayer
from intpv.attention_kl.side import Block

TOKENS = 48  # a block; no power of two, so that it falls in step with no kernel's own blocks


@dataclass(frozen=True)
class RecutLayer:
    layer: PrefixLayer

    def blocks(self) -> Iterator[Block]:
        """Views of the layer's own blocks."""
        for keys, values in self.layer.blocks():
            yield from zip(keys.split(TOKENS, dim=1), values.split(TOKENS, dim=1), strict=True)


@dataclass(frozen=True)
class Recut:
    """A prefix whose every layer is recut."""

    layers: list[RecutLayer]

    @classmethod
    def of(cls, prefix: Prefix) -> "Recut":
        return cls([RecutLayer(layer) for layer in prefix.layers])
