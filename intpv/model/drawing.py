"""Drawing: random weights for a module of any size, made where they will be used; for costs, never for accuracy."""

import torch
from torch import nn

from intpv.errors import BadInput

STD = 0.02  # Llama's initializer_range
ABOUT = "Its weights are random: it shows what a configuration costs and changes, not what it answers."


def draw(seed: int, module: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """The same weights for the same seed, dtype and kind of device, whatever was drawn before; norms start neutral."""
    generator = torch.Generator(device).manual_seed(seed)
    weights = {}
    for name, old in module.state_dict().items():
        weights[name] = new = torch.empty(old.shape, dtype=dtype, device=device)
        if old.ndim == 1 and name.endswith(("weight", "bias")):
            new.fill_(float(name.endswith("weight")))
        else:
            new.normal_(std=STD, generator=generator)
    module.load_state_dict(weights, strict=True, assign=True)


def refuse_weightless(module: nn.Module, what: str) -> None:
    """BadInput for a module whose weights were left to a loader."""
    weights = list(module.parameters())
    if not weights or any(weight.is_meta for weight in weights):
        raise BadInput(f"this {what} has no weights of its own: choose its own model, with model.weights=random")
