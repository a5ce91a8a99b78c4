"""RopeGeometry: the numbers of a model's rotary embedding, and the table it was trained with."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput


@dataclass(frozen=True)
class RopeGeometry:
    """Everything a strategy may know of a model. BadInput for numbers no rotary embedding can have."""

    head_dim: int  # d, channels
    base: float  # b of b^(-2i/d)
    trained_length: int  # tokens; what YaRN counts turns in
    axes: tuple[int, ...] = ()  # channels per axis with M-RoPE
    axis_of: tuple[int, ...] = ()  # of each of the d/2 channels, with M-RoPE
    growing: tuple[str, ...] = ()  # axes whose positions reach further with more frames, with M-RoPE
    interpolation: float = 1.0  # by which the checkpoint's own table is slowed: rope_type linear, part of its training

    def __post_init__(self) -> None:
        if self.head_dim < 4 or self.head_dim % 2:
            raise BadInput(f"head_dim must be even and at least 4, got {self.head_dim}")
        if not self.base > 1:
            raise BadInput(f"the RoPE base must be above 1, got {self.base}")
        if self.trained_length < 1:
            raise BadInput(f"trained_length must be at least 1 token, got {self.trained_length}")
        if self.interpolation < 1:
            raise BadInput(f"a linear rope factor must be at least 1, got {self.interpolation}")
        if self.axis_of and len(self.axis_of) != self.head_dim // 2:
            raise BadInput(f"axis_of must name {self.head_dim // 2} channels, got {len(self.axis_of)}")


def baseline_inv_freq(geometry: RopeGeometry) -> Float[Tensor, "{geometry.head_dim//2}"]:
    """The table of training, b^(-2i/d), i = 0 .. d/2 - 1, over its own interpolation; in rad per token, float32.

    Computed in the same order and precision as transformers does, so that the two are equal bit for bit.
    """
    exponents = torch.arange(0, geometry.head_dim, 2, dtype=torch.float32) / geometry.head_dim
    table = 1.0 / geometry.base**exponents
    return table if geometry.interpolation == 1 else table / geometry.interpolation
