"""No scaling: positions run on past the trained window, the do-nothing baseline of every comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class NoScaling(RopeStrategy):
    """s is 1 for every context; a factor other than auto or 1 is refused, as are `visual` and
    `temperature`: they would be ignored.

    >>> from intpv.layout import Span
    >>> layout = Layout((Span(3, time=0.0), Span(3, time=1.0)))  # two frames for a model trained on one
    >>> NoScaling().resolve(layout, trained=[3], window_length=64)
    1.0
    >>> NoScaling().positions(layout, 1.0).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor not in ("auto", 1.0):
            raise BadInput(f"rope_strategy=none does not scale: factor must be 1 or auto, got {self.factor}")
        if self.visual or self.temperature is not None:
            given = "visual=true" if self.visual else f"temperature={self.temperature}"
            raise BadInput(f"rope_strategy=none does not scale: there is nothing for {given} to change")

    def resolve(self, layout: Layout, trained: Sequence[int], window_length: int) -> float:
        """Always 1."""
        return 1.0
