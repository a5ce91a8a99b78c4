"""Resonance RoPE: YaRN's wavelengths rounded to whole tokens, so that positions far out meet angles of training."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.yarn import YarnScaling


@dataclass(frozen=True, kw_only=True)
class ResonanceScaling(YarnScaling):
    """A channel whose wavelength is a whole number of tokens takes at any position one of the angles that it took
    within its first turn (arXiv 2403.00071); temperature and betas are yarn's. At s = 1 nothing is rounded.

    To round another rule: `whole_wavelengths` of what its inv_freq gives.

    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=8)  # wavelengths of 6.3 and 25.1 tokens
    >>> (2 * math.pi / ResonanceScaling().inv_freq(geometry, 2.0)).round(decimals=3).tolist()  # the slow one is doubled
    [6.0, 50.0]
    """

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """Yarn's in rad per token, rounded."""
        table = super().inv_freq(geometry, factor)
        return table if factor == 1 else whole_wavelengths(table)


def whole_wavelengths(table: Float[Tensor, " half"]) -> Float[Tensor, " half"]:
    """A table in rad per token whose wavelengths are whole numbers of tokens; a channel that does not turn stays so.

    >>> import torch
    >>> (2 * math.pi / whole_wavelengths(torch.tensor([1.0, 0.1, 0.0]))).round(decimals=3).tolist()
    [6.0, 63.0, inf]
    """
    return (2 * math.pi / (2 * math.pi / table.double()).round()).float()
