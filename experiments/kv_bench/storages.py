"""Storages: the bytes that an object really holds, whatever classes its tensors hide in.

Every object that can be reached is walked; a tensor subclass is opened by its __tensor_flatten__ (quanto keeps its
codes there, and the wrapper's own nbytes are those of what it stands for). Storages are counted once, and whole: a view
keeps all of its storage alive.
"""

from collections.abc import Iterator, Mapping

import torch


def bytes_held(held: object) -> int:
    """Bytes of the unique storages behind all tensors within reach."""
    storages = (tensor.untyped_storage() for tensor in plain(held))
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def plain(held: object) -> Iterator[torch.Tensor]:
    """All plain tensors within reach of `held`, its attributes, members and values; each at least once."""
    seen: set[int] = set()
    waiting = [held]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | torch.nn.Module):  # a model is no part of its cache
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            if hasattr(one, "__tensor_flatten__"):
                waiting += [getattr(one, name) for name in one.__tensor_flatten__()[0]]
            else:
                yield one
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple | set):
            waiting += one
        else:
            waiting += getattr(one, "__dict__", {}).values()
