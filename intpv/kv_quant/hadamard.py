"""Hadamard rotation of the head dim: every stored channel is a mean of all channels, so outliers are spread out.

Orthonormal and its own inverse. Keys are rotated back when they are handed out, so that a query need not know; a kernel
may rotate the query instead, q.k = (Hq).(Hk) (QuaRot, arXiv 2404.00456).
"""

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput


@dataclass(frozen=True)
class Hadamard:
    """A basis to quantise in: x H with Sylvester's H of d channels."""

    def into(self, x: Float[Tensor, "H_kv t d"]) -> Float[Tensor, "H_kv t d"]:
        return x.float() @ matrix(x.shape[-1], x.device)

    def back(self, x: Float[Tensor, "H_kv t d"], start: int) -> Float[Tensor, "H_kv t d"]:
        return self.into(x)

    def parts(self) -> dict[str, tuple[Tensor, ...]]:
        return {}


@cache
def matrix(channels: int, device: torch.device | None = None) -> Float[Tensor, "d d"]:
    """H / sqrt(d), symmetric. Raises BadInput unless d is a power of two."""
    if channels & (channels - 1) or channels < 1:
        raise BadInput(f"a Hadamard rotation needs a head dim that is a power of two, got {channels}")
    step, result = torch.tensor([[1.0, 1.0], [1.0, -1.0]], device=device), torch.ones(1, 1, device=device)
    while len(result) < channels:
        result = torch.kron(step, result)
    return result / channels**0.5
