"""Entry: tensors to the bytes of one safetensors file and back; nothing but what was put in ever comes out."""

import json
import zlib
from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

from intpv.cache.key import FORMAT


class BadEntry(Exception):
    """Bytes that are no entry of this format and key: the reason in one line."""


def encode(key: str, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> bytes:
    """CPU tensors, contiguous and sharing no memory, to bytes; `about` is for people who look into the file."""
    ours = {"format": str(FORMAT), "key": key, "checksum": _checksum(tensors)}
    return save(dict(tensors), {**about, **ours})


def decode(key: str, content: bytes) -> dict[str, Tensor]:
    """The tensors, in memory of their own. Raises BadEntry for anything else than a whole entry of this key."""
    try:
        length = int.from_bytes(content[:8], "little")
        about = json.loads(content[8 : 8 + length])["__metadata__"]
        form, stored_key, checksum = about["format"], about["key"], about["checksum"]
        if form == str(FORMAT):
            tensors = load(content)
    except Exception as error:  # foreign bytes fail in any place, in json, safetensors or torch
        reason = " ".join(str(error).split())[:200]
        raise BadEntry(f"not a whole entry ({type(error).__name__}: {reason})") from None
    if form != str(FORMAT):
        raise BadEntry(f"format {form}, this is format {FORMAT}")
    if stored_key != key:
        raise BadEntry(f"the entry of another key, {stored_key}")
    if _checksum(tensors) != checksum:
        raise BadEntry("its checksum differs")
    return tensors


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 over names, dtypes, shapes and bytes: against decay, not malice, at a fifth of the price of `get`."""
    crc = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        crc = zlib.crc32(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode(), crc)
        crc = zlib.crc32(tensor.flatten().view(torch.uint8).numpy(), crc)
    return f"{crc:08x}"
