"""What the LLaVA family shares: square frames, and features picked out of a tower's hidden states by its config."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput


def square(pixels: Float[Tensor, "m N C H W"], size: int) -> None:
    """BadInput unless frames are size x size."""
    if tuple(pixels.shape[-2:]) != (size, size):
        raise BadInput(f"the tower takes {size}x{size} pixels, got {pixels.shape[-2]}x{pixels.shape[-1]}")


def selected(states: tuple[Tensor, ...], layer: int | Sequence[int], strategy: str) -> Float[Tensor, "n P E"]:
    """The hidden states that a LLaVA-style config names (several side by side), without CLS for strategy `default`."""
    chosen = [states[index] for index in ([layer] if isinstance(layer, int) else layer)]
    x = chosen[0] if len(chosen) == 1 else torch.cat(chosen, -1)
    return x[:, 1:] if strategy == "default" else x
