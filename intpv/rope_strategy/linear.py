"""Linear position interpolation: every channel turns s times slower (positions / s, arXiv 2409.12963 Eq 3.5)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class LinearScaling(RopeStrategy):
    """The whole sequence, text included, is squeezed into the window.

    On a checkpoint that scales RoPE itself: its own table over s, so that the two factors multiply where it is linear.

    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=8)  # channels turn by 1 and 1/4 rad per token
    >>> LinearScaling().inv_freq(geometry, 2.0).round(decimals=3).tolist()  # as if every position were halved
    [0.5, 0.125]
    """

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """b^(-2i/d) / s in rad per token: dividing the table is dividing the positions, and these stay integers."""
        return baseline_inv_freq(geometry) / factor
