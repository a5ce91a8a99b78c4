"""Runs: consecutive tokens of one layer that are stored alike, in full precision or as codes.

A run hands its tokens out as dense pieces of at most PIECE tokens, so that reading a long prefix needs little memory
beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.kv_quant.packing import pack, unpack
from intpv.kv_quant.quantiser import dequantise_keys, dequantise_values, quantise_keys, quantise_values

PIECE = 1024  # tokens
Block = tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]


@dataclass(frozen=True)
class DenseRun:
    """Keys and values as they came from the model."""

    keys: Float[Tensor, "H_kv t d"]
    values: Float[Tensor, "H_kv t d"]

    @property
    def length(self) -> int:
        return self.keys.shape[1]

    def blocks(self) -> Iterator[Block]:
        """Views, never copies."""
        yield from zip(self.keys.split(PIECE, dim=1), self.values.split(PIECE, dim=1), strict=True)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The stored tensors under their names in the ledger."""
        return {"exempt": (self.keys, self.values)}


@dataclass(frozen=True)
class QuantisedRun:
    """Packed codes with a scale and a zero per group. Written once: quantising a second time would pile up error."""

    bits: int
    key_group: int  # tokens
    key_codes: UInt8[Tensor, "H_kv t bytes"]
    key_scale: Float[Tensor, "H_kv G d"]
    key_zero: Float[Tensor, "H_kv G d"]
    value_codes: UInt8[Tensor, "H_kv t bytes"]
    value_scale: Float[Tensor, "H_kv t C"]
    value_zero: Float[Tensor, "H_kv t C"]

    @classmethod
    def of(
        cls,
        keys: Float[Tensor, "H_kv t d"],
        values: Float[Tensor, "H_kv t d"],
        *,
        bits: int,
        key_group: int,
        value_group: int,
    ) -> "QuantisedRun":
        """Quantise and pack; nothing of `keys` and `values` is held."""
        key_codes, *key_grid = quantise_keys(keys, bits, key_group)
        value_codes, *value_grid = quantise_values(values, bits, value_group)
        return cls(bits, key_group, pack(key_codes, bits), *key_grid, pack(value_codes, bits), *value_grid)

    @property
    def length(self) -> int:
        return self.key_codes.shape[1]

    def blocks(self) -> Iterator[Block]:
        """Dequantised to float32, one piece at a time."""
        for start in range(0, self.length, PIECE):
            piece = slice(start, start + PIECE)
            codes = unpack(self.key_codes[:, piece], self.bits)
            keys = dequantise_keys(codes, self.key_scale, self.key_zero, self.key_group, start)
            codes = unpack(self.value_codes[:, piece], self.bits)
            yield keys, dequantise_values(codes, self.value_scale[:, piece], self.value_zero[:, piece])

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        """The stored tensors under their names in the ledger."""
        return {
            "codes": (self.key_codes, self.value_codes),
            "scales": (self.key_scale, self.value_scale),
            "zeros": (self.key_zero, self.value_zero),
        }
