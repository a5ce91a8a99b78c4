"""NTK-aware scaling: raise the base so that only the slowest channel is stretched by s (arXiv 2409.12963 Eq 3.6)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class NTKScaling(RopeStrategy):
    """The fastest channel is left as it is, those between are stretched by a growing power of s.

    On a checkpoint that scales RoPE itself: channel i of its own table is slowed by the same s^(2i/(d-2)), which is
    what the raised base does to a plain one.

    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=8)  # channels turn by 1 and 1/4 rad per token
    >>> NTKScaling().scaled_base(geometry, 2.0)  # 16 * 2^(4/2)
    64.0
    >>> NTKScaling().inv_freq(geometry, 2.0).round(decimals=3).tolist()  # only the slower one is halved
    [1.0, 0.125]
    """

    def scaled_base(self, geometry: RopeGeometry, factor: float) -> float:
        """b' = b * s^(d/(d-2)): then b'^(-(d-2)/d), the slowest channel, is b^(-(d-2)/d) / s."""
        return geometry.base * factor ** (geometry.head_dim / (geometry.head_dim - 2))

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """b'^(-2i/d) in rad per token: the table of training times (b / b')^(2i/d)."""
        exponents = torch.arange(0, geometry.head_dim, 2, dtype=torch.float64) / geometry.head_dim
        raised = (geometry.base / self.scaled_base(geometry, factor)) ** exponents
        return (baseline_inv_freq(geometry).double() * raised).float()
