"""Fidelity: what becomes of keys, values, attention and its output when a prefix is held by some method."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.attention_kl.comparison import compare
from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.side import Side
from intpv.kv_quant.kv_quant import Layers, NoQuant

from .specimen import Specimen


@dataclass(frozen=True)
class Loss:
    """Per layer and head (L, H), or key head (L, H_kv); sums over tokens or rows, in float64.

    `kl` is the mean over rows, in nats, of KL(exact || held) over prefix and own keys: it sees keys only.
    """

    kl: Float[Tensor, "L H"]
    squares: dict[str, tuple[Float[Tensor, "L _"], Float[Tensor, "L _"]]]  # of the error, and of what it is relative to

    def relative(self) -> dict[str, float]:
        """Relative Frobenius errors over all layers and heads."""
        return {name: (error.sum() / norm.sum()).sqrt().item() for name, (error, norm) in self.squares.items()}


def loss(specimen: Specimen, dense: Layers) -> Loss:
    """`dense` is what attention sees of the prefix, in the order of its tokens."""
    groups = KeyGroups.of(specimen.layout, sinks=0)
    exact, held = (NoQuant().pack(layers, specimen.layout, None).layers for layers in (specimen.layers, dense))
    kl, squares = [], {"key": [], "value": [], "output": []}
    for asked, ours, theirs, pair, found in zip(specimen.asked, exact, held, specimen.layers, dense, strict=True):
        comparison = compare(Side(asked, ours), Side(asked, theirs), groups)
        kl.append(comparison.all_keys.kl.double().mean(1))
        squares["output"].append((comparison.error.double().sum(1), comparison.norm.double().sum(1)))
        for name, right, wrong in zip(("key", "value"), pair, found, strict=True):
            right, wrong = right.double(), wrong.double()
            squares[name].append(((right - wrong).square().sum((1, 2)), right.square().sum((1, 2))))
    stacked = {name: tuple(map(torch.stack, zip(*layers, strict=True))) for name, layers in squares.items()}
    return Loss(torch.stack(kl), stacked)
