"""Reading: what the fast paths ask of a packed layer. Shapes alone tie this package to what packs it."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor


@runtime_checkable
class Cells(Protocol):
    """Where in a table (H_kv, P, G, C) is the scale of token t and channel c: patch t % P, group t // P // group,
    column c // width; an axis of size 1 is shared by all."""

    frame: int  # P, tokens; 1 where a group is of tokens
    group: int | None  # tokens, or frames where P > 1; None is all of them
    width: int  # channels


@runtime_checkable
class Format(Protocol):
    """What is the same for every layer and every video; hashable, for a kernel is built per format."""

    bits: int  # 2, 4, 8
    head_dim: int
    cells: Cells
    turned: bool  # keys as they were before RoPE
    rotated: bool  # in a Hadamard basis, entered after RoPE was undone


@runtime_checkable
class Reading(Protocol):
    """Codes of consecutive tokens. Byte j of a row holds channels j, j + d/n, ... (n = 8 / bits), the first lowest."""

    format: Format
    packed: UInt8[Tensor, "H_kv t bytes"]
    scale: Float[Tensor, "_ P G C"]
    zero: Float[Tensor, "_ P G C"]
    positions: Float[Tensor, "t #half"] | None  # turned: the angles of RoPE are positions x frequencies
    frequencies: Float[Tensor, " half"] | None
    rotation: Float[Tensor, "d d"] | None  # rotated: symmetric and its own inverse


@runtime_checkable
class Stored(Protocol):
    """Keys or values of a run."""

    length: int  # t, tokens

    def piece(self, start: int, stop: int) -> Float[Tensor, "H_kv t d"]: ...

    def reading(self) -> Reading | None:
        """None where they are stored dense."""


@runtime_checkable
class Run(Protocol):
    """Consecutive tokens."""

    keys: Stored
    values: Stored
    length: int

    def blocks(self) -> Iterator[tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]]: ...


@runtime_checkable
class PackedLayer(Protocol):
    """One layer of a packed prefix, open to be read as it is stored."""

    runs: Sequence[Run]
    decode: str  # auto | eager | compiled | triton

    def blocks(self) -> Iterator[tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]]: ...
