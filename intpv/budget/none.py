"""No budget: the LLM is given every token of every frame."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.budget.budget import Budget, Kept


@dataclass(frozen=True, kw_only=True)
class NoBudget(Budget):
    """Leaves the video as it is.

    >>> NoBudget().expected(2, 3)
    [(0, 1, 2), (0, 1, 2)]
    """

    def reduce(self, tokens: Float[Tensor, "F P D"], video_id: str) -> Kept:
        return Kept(tokens.flatten(0, 1))

    def expected(self, frames: int, per_frame: int) -> list[tuple[int, ...]]:
        return [tuple(range(per_frame))] * frames
