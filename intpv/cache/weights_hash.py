"""The hash of a frozen module's weights, computed once per module."""

import hashlib
from itertools import chain
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

_known: WeakKeyDictionary[nn.Module, tuple[list[tuple], str]] = WeakKeyDictionary()


def weights_hash(module: nn.Module) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of all parameters and buffers, those not in the state dict too.

    64 hex digits, the same on every device. It says nothing of the code that runs them nor of settings without weights.
    For frozen modules: one is hashed anew when a tensor was written in place, moved or replaced, but writing through
    `.data`, or a replacement that happens to get the freed one's address, goes unnoticed.
    """
    tensors = dict(chain(module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False)))
    state = [(name, *_state(tensor)) for name, tensor in tensors.items()]
    if module not in _known or _known[module][0] != state:
        _known[module] = (state, _digest(tensors))
    return _known[module][1]


def _state(tensor: Tensor) -> tuple[torch.device, torch.dtype, int, int]:
    """What changes when the tensor is replaced or written to."""
    version = 0 if tensor.is_inference() else tensor._version  # tensors made in inference mode keep no count
    return tensor.device, tensor.dtype, tensor.data_ptr(), version


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().clone(memory_format=torch.contiguous_format)
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
