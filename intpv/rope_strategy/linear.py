"""Linear position interpolation: every channel turns s times slower (positions / s, arXiv 2409.12963 Eq 3.5)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class LinearScaling(RopeStrategy):
    """The whole sequence, text included, is squeezed into the window."""

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, "{geometry.head_dim//2}"]:
        """b^(-2i/d) / s in rad per token: dividing the table is dividing the positions, and these stay integers."""
        return baseline_inv_freq(geometry) / factor
