"""Run: consecutive tokens of one layer whose keys are all stored alike, and whose values are.

A run hands its tokens out as dense pieces of at most PIECE tokens, so that reading a long prefix needs little memory
beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.kv_quant.stored import Codes, Dense

PIECE = 1024  # tokens
Block = tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]


@dataclass(frozen=True)
class Run:
    """Keys and values, each in full precision or as codes."""

    keys: Dense | Codes
    values: Dense | Codes

    @property
    def length(self) -> int:
        return self.keys.length

    def blocks(self) -> Iterator[Block]:
        """In the order of the tokens: views of what is dense, float32 of what is codes, one piece at a time."""
        for start in range(0, self.length, PIECE):
            yield self.keys.piece(start, start + PIECE), self.values.piece(start, start + PIECE)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The stored tensors under their names in the ledger."""
        keys, values = self.keys.parts(), self.values.parts()
        return {name: keys.get(name, ()) + values.get(name, ()) for name in {**keys, **values}}
