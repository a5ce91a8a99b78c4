"""Reading: all that a kernel needs to know of codes to attend to them as they are, without a dense copy."""

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.kv_quant.granularity import Cells


@dataclass(frozen=True)
class Format:
    """What is the same for every layer and every video of a policy, so that a kernel can be built for it."""

    bits: int
    head_dim: int
    cells: Cells
    turned: bool  # keys as they were before RoPE
    rotated: bool  # in a Hadamard basis, entered after RoPE was undone


@dataclass(frozen=True)
class Reading:
    """One layer's keys or values of consecutive tokens; views of what is stored."""

    format: Format
    packed: UInt8[Tensor, "H_kv t bytes"]
    scale: Float[Tensor, "_ P G C"]
    zero: Float[Tensor, "_ P G C"]
    positions: Float[Tensor, "t #half"] | None  # turned: the angles of RoPE are positions x frequencies
    frequencies: Float[Tensor, " half"] | None
    rotation: Float[Tensor, "d d"] | None  # rotated: symmetric and its own inverse
