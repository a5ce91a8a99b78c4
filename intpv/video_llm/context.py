"""What watching a video leaves behind: its prefix in full precision, and after packing the context that is asked."""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from intpv.kv_evict.kv_evict import LatestQueries
from intpv.kv_quant.packed import Layers, PackedPrefix
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.rotation import Rotation


class Positioned:
    """What is known of a prefix' positions by its rotation."""

    rotation: Rotation

    @property
    def layout(self) -> Layout:
        return self.rotation.layout

    @property
    def geometry(self) -> RopeGeometry:
        return self.rotation.geometry

    @property
    def factor(self) -> float:
        """s, fixed for the context."""
        return self.rotation.factor


@dataclass(frozen=True)
class Prefill(Positioned):
    """A video's keys and values in full precision, before packing, with what packing and asking need. Never changed."""

    layers: Layers
    rotation: Rotation
    video_id: str = ""
    kept: tuple[Int[Tensor, " n"], ...] | None = None  # each layer's tokens, where it was cut as it was read
    queries: LatestQueries | None = None  # the latest tokens', where the rule of eviction looks at them

    @property
    def nbytes(self) -> int:
        """Of keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.layers)


@dataclass(frozen=True)
class VideoContext(Positioned):
    """A watched video: the packed prefix and what it takes to ask on. Asking changes nothing in it."""

    packed: PackedPrefix
    rotation: Rotation
