"""Reader: a stream of blocks, read in portions of any size, so that two streams cut differently can go side by side."""

from collections.abc import Iterator

import torch

from intpv.attention_kl.side import Block
from intpv.errors import BadInput


class Reader:
    """Holds one block at a time. `name` is for errors: which model's keys these are."""

    def __init__(self, blocks: Iterator[Block], name: str):
        self._blocks, self._name = blocks, name
        self._left: Block | None = None
        self._read = 0  # tokens

    def take(self, count: int) -> Block:
        """The next `count` >= 1 keys and values: views, copied only where they reach over the end of a block."""
        portions, missing = [], count
        while missing:
            if self._left is None:
                self._left = next(self._blocks, None)
            if self._left is None:
                raise BadInput(f"the {self._name} ends after {self._read} keys, the other has more")
            keys, values = self._left
            length = min(missing, keys.shape[1])
            portion = keys[:, :length], values[:, :length]
            self._left = (keys[:, length:], values[:, length:]) if length < keys.shape[1] else None
            self._read, missing = self._read + length, missing - length
            # copied before the next block is made: else two whole blocks would be held for a few tokens
            portions.append(tuple(part.clone() for part in portion) if missing else portion)
            del keys, values, portion
        return (
            portions[0] if len(portions) == 1 else tuple(torch.cat(parts, 1) for parts in zip(*portions, strict=True))
        )

    def finish(self) -> None:
        """BadInput unless everything was read."""
        if self._left is not None or next(self._blocks, None) is not None:
            raise BadInput(f"the {self._name} goes on after {self._read} keys, where the other ends")
