"""PartitionedStrategy: what strategies that change attention share; where s is above 1 they state a partition."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.partition import Partition
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class PartitionedStrategy(RopeStrategy):
    """No frequency is scaled: positions are. Refuses `visual`, which scales frequencies, and positions of three axes.

    `positions` stay those of training, by which segments are told apart; `angles` are those that keys are kept at.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.visual:
            raise BadInput(f"rope_strategy={self.name} scales no frequencies: there is nothing for visual=true to keep")

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        """The partition at s above 1. BadInput for numbers that do not go with the geometry."""
        raise NotImplementedError

    def partition(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition | None:
        """None at s = 1. BadInput for M-RoPE: tokens of one frame share a position there, and no order."""
        if factor == 1:
            return None
        if geometry.axis_of:
            raise BadInput(f"rope_strategy={self.name} needs positions of one axis, this model has three (M-RoPE)")
        return self.divided(layout, geometry, factor)

    def angles(
        self, layout: Layout, geometry: RopeGeometry, factor: float
    ) -> Float[Tensor, "{layout.length} {geometry.head_dim//2}"]:
        """The (S, d/2) angles in rad of keys as they are kept; a query is turned on from there."""
        partition = self.partition(layout, geometry, factor)
        if partition is None:
            return super().angles(layout, geometry, factor)
        return partition.kept(torch.arange(layout.length)).float()[:, None] * baseline_inv_freq(geometry)


def auto_tokens(name: str, given: float | int | str, least: int) -> None:
    """BadInput unless it is auto or a whole number of at least `least`."""
    if given != "auto" and (type(given) is not int or given < least):
        raise BadInput(f"rope_strategy.{name} must be auto or a whole number of at least {least}, got {given}")
