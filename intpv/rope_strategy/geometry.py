"""RopeGeometry: the numbers of a model's rotary embedding, and the table it was trained with."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput


@dataclass(frozen=True)
class RopeGeometry:
    """Everything a strategy may know of a model. BadInput for numbers no rotary embedding can have.

    What a checkpoint was trained with is its baseline, whatever it is called: where it scales RoPE itself (linear,
    yarn, llama3, longrope) that table is `own`, and strategies scale it further.

    >>> RopeGeometry(head_dim=5, base=1e4, trained_length=64)
    Traceback (most recent call last):
        ...
    intpv.errors.BadInput: head_dim must be even and at least 4, got 5
    """

    head_dim: int  # d, channels that are rotated; fewer than a head's where a model leaves some as they are
    base: float  # b of b^(-2i/d)
    trained_length: int  # positions; what YaRN counts turns in
    axes: tuple[int, ...] = ()  # channels per axis with M-RoPE
    axis_of: tuple[int, ...] = ()  # of each of the d/2 channels, with M-RoPE
    growing: tuple[str, ...] = ()  # axes whose positions reach further with more frames, with M-RoPE
    own: tuple[float, ...] = ()  # rad per token of each channel, where that is not b^(-2i/d)
    own_scale: float = 1.0  # what the checkpoint itself multiplies cos and sin by
    rope_type: str = "default"  # the checkpoint's, as transformers names it
    own_factor: float = 1.0  # that the checkpoint's rope_type states
    holds: int | None = None  # positions up to which the checkpoint itself would rotate by this table; None: any
    columns: tuple[int, ...] = ()  # the channel of each column of cos and sin; () is all channels, twice

    def __post_init__(self) -> None:
        if self.head_dim < 4 or self.head_dim % 2:
            raise BadInput(f"head_dim must be even and at least 4, got {self.head_dim}")
        if not self.base > 1:
            raise BadInput(f"the RoPE base must be above 1, got {self.base}")
        if self.trained_length < 1:
            raise BadInput(f"trained_length must be at least 1 token, got {self.trained_length}")
        for name in ("own", "axis_of"):
            if (given := getattr(self, name)) and len(given) != self.head_dim // 2:
                raise BadInput(f"{name} must name {self.head_dim // 2} channels, got {len(given)}")


def baseline_inv_freq(geometry: RopeGeometry) -> Float[Tensor, " {geometry.head_dim//2}"]:
    """The table of training in rad per token, float32: the checkpoint's own, or b^(-2i/d), i = 0 .. d/2 - 1.

    Computed in the same order and precision as transformers does, so that the two are equal bit for bit.

    >>> baseline_inv_freq(RopeGeometry(head_dim=4, base=16.0, trained_length=64, own=(0.5, 0.125))).tolist()
    [0.5, 0.125]
    """
    if geometry.own:
        return torch.tensor(geometry.own, dtype=torch.float32)
    return plain_inv_freq(geometry.head_dim, geometry.base)


def plain_inv_freq(head_dim: int, base: float) -> Float[Tensor, " half"]:
    """b^(-2i/d) in rad per token, float32.

    >>> plain_inv_freq(head_dim=4, base=16.0).round(decimals=3).tolist()  # 16^0 and 16^(-1/2)
    [1.0, 0.25]
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    return 1.0 / base**exponents
