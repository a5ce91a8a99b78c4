"""No scaling: positions run on past the trained window, the do-nothing baseline of every comparison."""

from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class NoScaling(RopeStrategy):
    """s is 1 for every context; a factor other than auto or 1 is refused, as it would be ignored."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor not in ("auto", 1.0):
            raise BadInput(f"rope_strategy=none does not scale: factor must be 1 or auto, got {self.factor}")

    def resolve(self, layout: Layout, trained_visual_length: int, window_length: int) -> float:
        """Always 1."""
        return 1.0
