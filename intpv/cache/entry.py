"""Entry: tensors to the bytes of one safetensors file and back; nothing but what was put in ever comes out."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor

from intpv.cache.hashing import FORMAT


class BadEntry(Exception):
    """Bytes that are no entry of this format and key: the reason in one line."""


def encode(key: str, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> bytes:
    """CPU tensors, contiguous and sharing no memory, to bytes; `about` is for people who look into the file."""
    ours = {"format": str(FORMAT), "key": key, "checksum": _checksum(tensors)}
    return save(dict(tensors), {**about, **ours})


def decode(key: str, content: bytes) -> dict[str, Tensor]:
    """The tensors, in memory of their own. Raises BadEntry for anything else than a whole entry of this key."""
    try:
        checksum = check(key, json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]))
        tensors = load(content)
    except BadEntry:
        raise
    except Exception as error:  # foreign bytes fail in any place, in json, safetensors or torch
        reason = " ".join(str(error).split())[:200]
        raise BadEntry(f"not a whole entry ({type(error).__name__}: {reason})") from None
    if _checksum(tensors) != checksum:
        raise BadEntry("its checksum differs")
    return tensors


def check(key: str, table: Mapping) -> str:
    """The checksum that a file's table of contents states. Raises BadEntry for another format or key."""
    try:
        about = table["__metadata__"]
        form, stored_key, checksum = about["format"], about["key"], about["checksum"]
    except (LookupError, TypeError) as error:
        raise BadEntry(f"not a whole entry ({type(error).__name__}: {error})") from None
    if form != str(FORMAT):
        raise BadEntry(f"format {form}, this is format {FORMAT}")
    if stored_key != key:
        raise BadEntry(f"the entry of another key, {stored_key}")
    return checksum


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 over names, dtypes, shapes and bytes: against decay, not malice, at a fifth of the price of `get`."""
    crc = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        crc = zlib.crc32(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode(), crc)
        crc = zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


# Storage: the memory that tensors really hold.


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


def devices_of_tensors(content: object) -> tuple[torch.device, ...]:
    """Where the tensors are that `held_bytes` counts."""
    return tuple(dict.fromkeys(tensor.device for tensor in _tensors(content)))


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
