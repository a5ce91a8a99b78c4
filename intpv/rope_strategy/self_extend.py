"""Self-Extend: near keys at their own distance, further ones by groups of G tokens (arXiv 2401.01325 Eq 3 and 4)."""

import math
from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.partition import Partition, near_and_far
from intpv.rope_strategy.partitioned import PartitionedStrategy, auto_tokens


@dataclass(frozen=True, kw_only=True)
class SelfExtend(PartitionedStrategy):
    """From w tokens back on a query at m stands at m // G + w - w // G and a key at k // G.

    G is the smallest with which s L tokens reach no further than L, w + (s L - w) / G <= L, unless it is given.

    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=4096)
    >>> SelfExtend().sizes(geometry, 4.0)  # 1024 + (16384 - 1024) / 5 = 4096
    (1024, 5)
    """

    near: float | int | str = "auto"  # w, tokens; auto is a quarter of the trained length: the authors' 1024 of 4096
    group: float | int | str = "auto"  # G, tokens

    def __post_init__(self) -> None:
        super().__post_init__()
        auto_tokens("near", self.near, 1)
        auto_tokens("group", self.group, 2)

    def sizes(self, geometry: RopeGeometry, factor: float) -> tuple[int, int]:
        """(w, G) at s. BadInput for a w that leaves nothing of the trained length."""
        length = geometry.trained_length
        near = max(length // 4, 1) if isinstance(self.near, str) else int(self.near)
        if near >= length:
            raise BadInput(f"rope_strategy.near must be below the trained length of {length} tokens, got {near}")
        reached = math.ceil((factor * length - near) / (length - near))
        return near, reached if isinstance(self.group, str) else int(self.group)

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        near, group = self.sizes(geometry, factor)
        return near_and_far(near, lambda token: token // group)
