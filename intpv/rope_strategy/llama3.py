"""Llama 3.1's scaling: wavelengths beyond the window are stretched by s, short ones kept, between them by turns."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class Llama3Scaling(RopeStrategy):
    """As transformers' rope_type llama3 (Llama 3.1, arXiv 2407.21783): yarn's thought without its temperature, its ramp
    straight in turns and not in the channel's index.

    >>> geometry = RopeGeometry(head_dim=8, base=256.0, trained_length=256)  # 41, 10, 2.5 and 0.6 turns in 256 tokens
    >>> slowed = Llama3Scaling().inv_freq(geometry, 4.0).double() / baseline_inv_freq(geometry)
    >>> slowed.round(decimals=2).tolist()  # 2.5 turns are half way from 1 to 4
    [1.0, 1.0, 0.64, 0.25]
    """

    low_freq_factor: float | int = 1.0  # turns inside the trained length; channels that make fewer turn s times slower
    high_freq_factor: float | int = 4.0  # turns inside the trained length; channels that make more are kept

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.low_freq_factor, self.high_freq_factor
        if not all(type(turns) in (int, float) and 0 < turns < math.inf for turns in (low, high)) or not low < high:
            raise BadInput(
                f"rope_strategy.high_freq_factor must be above low_freq_factor, and both above 0, got {high} and {low}"
            )
        object.__setattr__(self, "low_freq_factor", float(low))  # YAML's 1 is an int
        object.__setattr__(self, "high_freq_factor", float(high))

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """In rad per token, float32."""
        trained = baseline_inv_freq(geometry).double()
        turns = trained * geometry.trained_length / (2 * math.pi)
        slow = 1 - ((turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor)).clamp(0, 1)
        # written as one product, so that s = 1 gives the table itself and not a sum of two rounded parts
        return (trained * (1 - slow * (1 - 1 / factor))).float()
