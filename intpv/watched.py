"""What watching a video leaves behind: its prefix in full precision, and after packing the context that is asked."""

from dataclasses import dataclass

from intpv.kv_quant.packed import Layers, PackedPrefix
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry


@dataclass(frozen=True)
class Prefill:
    """A video's keys and values in full precision, before packing, with what packing and asking need. Never changed."""

    layers: Layers
    layout: Layout
    geometry: RopeGeometry
    factor: float  # s

    @property
    def nbytes(self) -> int:
        """Of keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.layers)


@dataclass(frozen=True)
class VideoContext:
    """A watched video: the packed prefix and what it takes to ask on. Asking changes nothing in it."""

    packed: PackedPrefix
    layout: Layout
    geometry: RopeGeometry
    factor: float  # s, fixed for the context
