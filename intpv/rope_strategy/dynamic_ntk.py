"""Dynamic NTK scaling: a base that grows with the length by alpha times as much as the context overfills its window."""

import math
from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.ntk import NTKScaling


@dataclass(frozen=True, kw_only=True)
class DynamicNTKScaling(NTKScaling):
    """b' = b (alpha s - (alpha - 1))^(d/(d-2)) with s = n / L: transformers' rope_type dynamic, its factor being alpha.

    There n is the length of what was read so far, so that cached keys were rotated by smaller bases than the query.
    Here s is the context's and fixed with it: one base for its prefix, its questions and answers. alpha 1 is ntk.

    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=8)
    >>> DynamicNTKScaling(alpha=2.0).scaled_base(geometry, 2.0)  # 16 * (2 * 2 - 1)^(4/2)
    144.0
    """

    alpha: float | int = 2.0  # how many times faster than s the stretch grows; at least 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.alpha) not in (int, float) or not 1 <= self.alpha < math.inf:
            raise BadInput(f"rope_strategy.alpha must be at least 1, got {self.alpha}")
        object.__setattr__(self, "alpha", float(self.alpha))  # YAML's 2 is an int

    def scaled_base(self, geometry: RopeGeometry, factor: float) -> float:
        """The base at s = `factor`; the slowest channel is stretched by alpha s - (alpha - 1)."""
        return super().scaled_base(geometry, self.alpha * factor - (self.alpha - 1))
