"""NTK-aware scaling: raise the base so that only the slowest channel is stretched by s (arXiv 2409.12963 Eq 3.6)."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class NTKScaling(RopeStrategy):
    """The fastest channel is left as it is, those between are stretched by a growing power of s."""

    def scaled_base(self, geometry: RopeGeometry, factor: float) -> float:
        """b' = b * s^(d/(d-2)): then b'^(-(d-2)/d), the slowest channel, is b^(-(d-2)/d) / s."""
        return geometry.base * factor ** (geometry.head_dim / (geometry.head_dim - 2))

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, "{geometry.head_dim//2}"]:
        """b'^(-2i/d) in rad per token."""
        return baseline_inv_freq(replace(geometry, base=self.scaled_base(geometry, factor)))
