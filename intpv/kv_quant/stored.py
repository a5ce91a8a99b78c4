"""Stored: one layer's keys, or values, of consecutive tokens, in full precision or as codes; handed out in pieces."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.kv_quant.basis import Hadamard, PreRope, matrix
from intpv.kv_quant.granularity import Cells, Granularity
from intpv.kv_quant.quantiser import decode, encode, pack, quantise, unpack
from intpv.kv_quant.static_grid import Drift, StaticGrid

# Reading: all that a kernel needs to know of codes to attend to them as they are, without a dense copy.


@dataclass(frozen=True)
class Format:
    """What is the same for every layer and every video of a policy, so that a kernel can be built for it."""

    bits: int
    head_dim: int
    cells: Cells
    pre_rope: bool  # keys as they were before RoPE
    mixed: bool  # in a Hadamard basis, entered after RoPE was undone


@dataclass(frozen=True)
class Reading:
    """One layer's keys or values of consecutive tokens; views of what is stored.

    Byte j of a row holds channels j, j + d/n, ... (n = 8 / bits), the first in the lowest bits.
    """

    format: Format
    packed: UInt8[Tensor, "H_kv t bytes"]
    scale: Float[Tensor, "_ P G C"]
    zero: Float[Tensor, "_ P G C"]
    pre_rope: PreRope | None  # the turn to be given to keys before RoPE
    mixing: Float[Tensor, "d d"] | None  # mixed: symmetric and its own inverse


@runtime_checkable
class Basis(Protocol):
    """Coordinates to quantise in; `back` undoes `into`, for a piece that begins at token `start`."""

    def into(self, x: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H_kv t d"]: ...

    def back(self, x: Float[Tensor, "H_kv t d"], start: int) -> Float[Tensor, "H_kv t d"]: ...

    def parts(self) -> dict[str, tuple[Tensor, ...]]: ...


@dataclass(frozen=True)
class Dense:
    """As it came from the model."""

    x: Float[Tensor, "H_kv t d"]

    @property
    def length(self) -> int:
        return self.x.shape[1]

    def piece(self, start: int, stop: int) -> Float[Tensor, "H_kv t d"]:
        """A view, never a copy."""
        return self.x[:, start:stop]

    def before(self, stop: int) -> "Dense":
        """The tokens before `stop`, as a view."""
        return Dense(self.x[:, :stop])

    def then(self, later: "Dense") -> "Dense":
        """With the tokens behind these."""
        return Dense(torch.cat([self.x, later.x], 1))

    def reading(self) -> None:
        """Nothing to unpack."""

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        return {"exempt": (self.x,)}


@dataclass(frozen=True)
class Codes:
    """Packed codes with a scale and a zero per group. Written once: quantising a second time would pile up error."""

    bits: int
    granularity: Granularity
    bases: tuple[Basis, ...]  # in the order in which they were entered
    packed: UInt8[Tensor, "H_kv t bytes"]
    scale: Float[Tensor, "a b c"]
    zero: Float[Tensor, "a b c"]
    drift: Drift | None = None  # from the grid, where it was not made for these numbers

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "H_kv t d"],
        bits: int,
        granularity: Granularity,
        bases: tuple[Basis, ...] = (),
        clip: float = 1.0,
    ) -> "Codes":
        """Quantise and pack; nothing of `x` is held."""
        heads, _, head_dim = x.shape
        for basis in bases:
            x = basis.into(x)
        codes, scales, zeros = zip(*(quantise(part, bits, clip) for part in granularity.split(x)), strict=True)
        packed = pack(granularity.join(list(codes), heads, head_dim), bits)
        return cls(bits, granularity, bases, packed, torch.cat(scales, 1), torch.cat(zeros, 1))

    @classmethod
    def on(
        cls,
        grid: StaticGrid,
        x: Float[Tensor, "H_kv t d"],
        bits: int,
        granularity: Granularity,
        bases: tuple[Basis, ...] = (),
    ) -> "Codes":
        """The same on a grid that was there before `x`: what lies outside takes its nearest end."""
        for basis in bases:
            x = basis.into(x)
        x = x.float()
        packed = pack(encode(x, grid.scale, grid.zero, bits), bits)
        return cls(bits, granularity, bases, packed, grid.scale, grid.zero, grid.drift(x, bits))

    @property
    def length(self) -> int:
        return self.packed.shape[1]

    def piece(self, start: int, stop: int) -> Float[Tensor, "H_kv t d"]:
        """Dequantised to float32, back in the model's own coordinates."""
        stop = min(stop, self.length)
        codes = unpack(self.packed[:, start:stop], self.bits)
        x = decode(codes, *(self.granularity.spread(grid, start, stop) for grid in (self.scale, self.zero)))
        for basis in reversed(self.bases):
            x = basis.back(x, start)
        return x

    def before(self, stop: int) -> "Codes":
        """The tokens before `stop`, as a view: scales and zeros know tokens by their place, and some are not read."""
        return replace(self, packed=self.packed[:, :stop])

    def then(self, later: "Codes") -> "Codes":
        """With the tokens behind these, whose groups are their own, or lie on the same calibrated grid; bases are these
        ones', which must know the later tokens too."""
        scale, zero, drift = self.scale, self.zero, None
        if later.scale is not scale:
            scale, zero = torch.cat([scale, later.scale], 1), torch.cat([zero, later.zero], 1)
        if self.drift is not None and later.drift is not None:
            drift = Drift.over([self.drift, later.drift])
        return replace(self, packed=torch.cat([self.packed, later.packed], 1), scale=scale, zero=zero, drift=drift)

    def reading(self) -> Reading:
        """For a kernel that reads the codes themselves; made once, as every step of every layer asks for it."""
        return self._reading

    @cached_property
    def _reading(self) -> Reading:
        head_dim = self.packed.shape[2] * 8 // self.bits
        pre_rope = next((basis for basis in self.bases if isinstance(basis, PreRope)), None)
        mixed = any(isinstance(basis, Hadamard) for basis in self.bases)
        cells = self.granularity.cells(head_dim)
        return Reading(
            Format(self.bits, head_dim, cells, pre_rope=pre_rope is not None, mixed=mixed),
            self.packed,
            self.granularity.table(self.scale),
            self.granularity.table(self.zero),
            pre_rope,
            matrix(head_dim, self.packed.device) if mixed else None,
        )

    def __getstate__(self) -> dict[str, object]:
        """The fields alone: a copy, or what is read from a pickle, makes a reading of its own tensors."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        parts: dict[str, tuple[Tensor, ...]] = {
            "codes": (self.packed,),
            "scales": (self.scale,),
            "zeros": (self.zero,),
        }
        for basis in self.bases:
            parts |= basis.parts()
        return parts
