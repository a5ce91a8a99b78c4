"""Side: one of the two models that are compared, in one layer: its queries and all the keys that they can see."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from intpv.attention.prefix import PrefixLayer
from intpv.attention_kl.key_groups import QUESTION, KeyGroups, Stretch
from intpv.errors import BadInput

PORTION = 2**19  # logits of all heads and rows at once: 2 MiB per map, of which about eight live together
Block = tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]


@dataclass(frozen=True)
class Asked:
    """What a layer's attention is given for the rows of all questions: rotated queries, their own keys and values."""

    q: Float[Tensor, "H R d"]
    k: Float[Tensor, "H_kv T d"]
    v: Float[Tensor, "H_kv T d"]
    mask: Bool[Tensor, "R T"]  # True: may see this own key; the prefix is seen by every row
    scaling: float


@dataclass(frozen=True)
class Side:
    """Queries against a prefix layer and the own keys; logits in float32, or in float64 to judge float32 by."""

    asked: Asked
    prefix: PrefixLayer
    dtype: torch.dtype = torch.float32

    def __post_init__(self):
        if self.asked.q.shape[1] == 0:
            raise BadInput("attention KL needs at least 1 query row, got a question of 0 tokens")

    def blocks(self) -> Iterator[Block]:
        """The prefix' blocks, then the own keys."""
        yield from self.prefix.blocks()
        yield self.asked.k, self.asked.v

    def logits(self, keys: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H R t"]:
        """q.k * scaling, float32 in the end; heads that share a key head are further rows of it, no key is repeated."""
        heads, rows, _ = self.asked.q.shape
        q = (self.asked.q.to(self.dtype) * self.asked.scaling).reshape(len(keys), -1, keys.shape[2])
        return torch.bmm(q, keys.to(self.dtype).mT).view(heads, rows, -1).float()

    def portions(self, groups: KeyGroups) -> Iterator[tuple[Stretch, Bool[Tensor, "R t"] | None]]:
        """All keys, as many at a time as PORTION allows, with the part of the mask that is over them."""
        heads, rows, _ = self.asked.q.shape
        for part in groups.portions(self.asked.k.shape[1], max(1, PORTION // (heads * rows))):
            own = slice(part.start - groups.length, part.stop - groups.length)
            yield part, self.asked.mask[:, own] if part.group == QUESTION else None
