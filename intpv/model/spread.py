"""Spread: a decoder's layers over several devices, in runs of about equal bytes, for a model too large for one.

Only layers go elsewhere: whatever is fed in and read out (tower, projector, embeddings, rotation, head) is on the first
device. What a layer is given comes to it as it starts; its keys, values and packed prefix stay where it is.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.errors import BadInput


def spread(module: nn.Module, decoder: PreTrainedModel, devices: Sequence[torch.device]) -> None:
    """Move `module`, of which `decoder` is a part, to `devices`; on one it is moved whole."""
    if len(devices) == 1:
        module.to(devices[0])
        return
    layers: nn.ModuleList = decoder.layers
    decoder.layers = nn.ModuleList()  # out of the way of all that moves to the first device
    rest = _bytes(module)
    module.to(devices[0])
    decoder.layers = layers
    for layer, device in zip(layers, shared_out(rest, [_bytes(layer) for layer in layers], devices), strict=True):
        layer.to(device)
        layer.register_forward_pre_hook(partial(_arrive, device), with_kwargs=True)
    layers[-1].register_forward_hook(partial(_return, devices[0]))


def shared_out(rest: int, layers: Sequence[int], devices: Sequence[torch.device]) -> list[torch.device]:
    """The device of each layer, given bytes: the first device holds `rest` besides. Raises BadInput for idle ones."""
    share, before, places = (rest + sum(layers)) / len(devices), rest, []
    for size in layers:
        places.append(devices[min(int((before + size / 2) / share), len(devices) - 1)])
        before += size
    if idle := [str(device) for device in devices[1:] if device not in places]:
        raise BadInput(f"model.device names {len(devices)} devices, {len(layers)} layers leave {', '.join(idle)} idle")
    return places


def _arrive(device: torch.device, layer: nn.Module, given: tuple, named: dict) -> tuple[tuple, dict]:
    return _moved(given, device), {name: _moved(value, device) for name, value in named.items()}


def _return(device: torch.device, layer: nn.Module, given: tuple, result: Tensor | tuple) -> Tensor | tuple:
    return _moved(result, device)


def _moved(value, device: torch.device):
    """Tensors, and tuples of them; a cache stays, it holds every layer's own."""
    if isinstance(value, Tensor):
        return value.to(device)
    return tuple(_moved(part, device) for part in value) if isinstance(value, tuple) else value


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
