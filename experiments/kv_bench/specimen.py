"""Specimen: a prefix in full precision with the query rows that are asked of it; what every method is given to hold."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.side import Asked
from intpv.kv_quant.kv_quant import Layers
from intpv.layout import Layout


@dataclass(frozen=True)
class Specimen:
    """All layers of one prefix; `asked` has one entry a layer, or none where only time is measured."""

    layers: Layers
    layout: Layout
    angles: Float[Tensor, "S half"]  # rad, the rotation that is in the keys
    asked: tuple[Asked, ...] = ()

    @property
    def elements(self) -> int:
        """2 * L * H_kv * S * d."""
        return sum(keys.numel() + values.numel() for keys, values in self.layers)
