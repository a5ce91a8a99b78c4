"""Token order: whether the tower's time slots run on through the sequence that the LLM reads, and fit at the seams."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Slots:
    """Where each frame's tokens were made, in the order in which the LLM reads them.

    >>> strided, contiguous = torch.tensor([[0, 2], [1, 3]]), torch.tensor([[0, 1], [2, 3]])
    >>> Slots.of(strided, restored=True).slot.tolist(), Slots.of(contiguous, restored=True).slot.tolist()
    ([0, 0, 1, 1], [0, 1, 0, 1])
    >>> Slots.of(strided, restored=True).order, Slots.of(contiguous, restored=True).order  # 1 and 1/m
    (1.0, 0.5)
    """

    group: Int[Tensor, " F"]
    slot: Int[Tensor, " F"]  # place in the group: the tower's time slot

    @classmethod
    def of(cls, order: Int[Tensor, "m N"], restored: bool) -> "Slots":
        """From a rearranger's index table; `restored`: tokens were put back in order of time. Of a frame that was shown
        more than once the first place counts."""
        m, n = order.shape
        group, slot, times = torch.arange(m).repeat_interleave(n), torch.arange(n).repeat(m), order.flatten()
        read = (times == times.unique()[:, None]).int().argmax(1) if restored else torch.arange(m * n)
        return cls(group[read], slot[read])

    @property
    def borders(self) -> Bool[Tensor, " {len(self.slot)-1}"]:
        """Whether a frame and the next come from different groups."""
        return self.group[1:] != self.group[:-1]

    @property
    def order(self) -> float:
        """Of all pairs of frames with different slots: share read in the order of slots less share read against it.

        Goodman and Kruskal's gamma: 1 where slots never fall, 1/m for m contiguous groups, about 0 for a random order.
        """
        later = torch.ones(len(self.slot), len(self.slot)).triu(1).bool()
        step = (self.slot - self.slot[:, None]).sign()[later]
        counted = int(step.abs().sum())
        return float(step.sum()) / counted if counted else 1.0


def neighbour_cosines(tokens: Float[Tensor, "F P D"]) -> Float[Tensor, " pairs"]:
    """Cosine of the same patch in a frame and the next, mean over patches (F - 1,).

    >>> neighbour_cosines(torch.tensor([[[1.0, 0.0]], [[2.0, 0.0]], [[0.0, 1.0]]])).tolist()  # 3 frames of one patch
    [1.0, 0.0]
    """
    return torch.nn.functional.cosine_similarity(tokens[1:].double(), tokens[:-1].double(), dim=-1).mean(1)


def seams(tokens: Float[Tensor, "F P D"], slots: Slots) -> tuple[float | None, float | None]:
    """Mean neighbour cosine at borders of groups, and inside groups; None where there is no such pair.

    >>> tokens = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])  # 4 frames of one patch
    >>> seams(tokens, Slots.of(torch.tensor([[0, 1], [2, 3]]), restored=True))
    (0.0, 1.0)
    """
    cosines = neighbour_cosines(tokens).cpu()
    parts = cosines[slots.borders], cosines[~slots.borders]
    at_borders, inside = (float(part.mean()) if len(part) else None for part in parts)
    return at_borders, inside
