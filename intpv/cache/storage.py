"""Storage: the memory that tensors really hold."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

LEAVES = (str, int, float, torch.dtype, torch.device, type(None))  # values whose size does not count


def held_bytes(content: object) -> int:
    """Bytes of all storages behind the tensors in nested mappings, lists, tuples and dataclasses, each counted once.

    A view counts with all of the storage it keeps alive. Raises TypeError for anything it cannot look into.
    """
    storages = {}
    for tensor in _tensors(content):
        storage = tensor.untyped_storage()
        storages[storage.device, storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def owned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values on the CPU, contiguous, each the only one in its storage: what reading a file would give."""
    result, seen = {}, set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu()
        storage = tensor.untyped_storage()
        # is_contiguous lets any stride pass where there is one element, but the next kernel may choose by it
        usual = tensor.stride() == torch.empty(tensor.shape, device="meta").stride()
        alone = storage.nbytes() == tensor.nbytes and storage.data_ptr() not in seen
        result[name] = tensor if usual and alone else tensor.clone(memory_format=torch.contiguous_format)
        seen.add(storage.data_ptr())
    return result


def _tensors(content: object) -> Iterator[Tensor]:
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, Mapping):
        for item in content.values():
            yield from _tensors(item)
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _tensors(item)
    elif is_dataclass(content):
        for field in fields(content):
            yield from _tensors(getattr(content, field.name))
    elif not isinstance(content, LEAVES):
        raise TypeError(f"cannot tell how many bytes a {type(content).__name__} holds")
