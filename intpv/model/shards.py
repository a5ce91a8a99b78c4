"""Shards: the weight files of a checkpoint folder, found and named first, then read tensor by tensor.

model.safetensors, pytorch_model.bin, or numbered shards of either with or without their index.json. A .bin is read by
torch's weights_only loader, which knows tensors and runs no code.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from intpv.errors import BadInput

NAMES = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read, as transformers does
# a file is mapped anew after so many bytes, or one of so many parts: what was read of a mapping counts as held memory
MAPPED, PARTS = 2**27, 16
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8"}


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies."""

    file: Path
    shape: tuple[int, ...]
    dtype: str  # as safetensors names them: F32, BF16, I8


@dataclass(frozen=True)
class Shards:
    """Every tensor of a folder by its key; nothing but the files' tables of contents has been read."""

    folder: Path
    entries: dict[str, Entry]

    @classmethod
    def find(cls, folder: Path) -> "Shards":
        """Raises BadInput for a file that is missing or cut short, and where the index and a shard disagree."""
        files, promised = _files(folder)
        entries: dict[str, Entry] = {}
        for file in files:
            held = _held(file)
            if absent := sorted(key for key, name in promised.items() if name == file.name and key not in held):
                raise BadInput(f"{file} does not hold {absent[0]}, which the index.json beside it promises")
            if twice := sorted(held.keys() & entries.keys()):
                raise BadInput(f"{twice[0]} is in two files, {entries[twice[0]].file} and {file}")
            entries |= held
        return cls(folder, entries)

    def read(self, keys: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Key and tensor in the order of the files; the tensor is a view of the file, to be copied."""
        for file in dict.fromkeys(entry.file for entry in self.entries.values()):
            left = [key for key, entry in self.entries.items() if entry.file == file and key in keys]
            limit = max(MAPPED, file.stat().st_size // PARTS)
            while left:
                get, mapped = _open(file)[1], 0
                while left and mapped < limit:
                    tensor = get(left[0])
                    mapped += tensor.nbytes
                    yield left.pop(0), tensor


def _files(folder: Path) -> tuple[list[Path], dict[str, str]]:
    """The folder's weight files, and which file an index promises each key to be in."""
    for name in NAMES:
        if (folder / f"{name}.index.json").is_file():
            promised = _index(folder / f"{name}.index.json")
            names = sorted(set(promised.values()))
        elif (folder / name).is_file():
            promised, names = {}, [name]
        else:
            stem, suffix = name.split(".")
            found = [re.fullmatch(rf"{stem}-\d+-of-(\d+)\.{suffix}", file.name) for file in folder.iterdir()]
            if not (counts := [match[1] for match in found if match]):
                continue
            width, last = len(counts[0]), int(counts[0])
            promised = {}
            names = [f"{stem}-{number:0{width}}-of-{counts[0]}.{suffix}" for number in range(1, last + 1)]
        for missing in (one for one in names if not (folder / one).is_file()):
            raise BadInput(f"{folder / missing} is missing: the checkpoint has {len(names)} shards")
        return [folder / one for one in names], promised
    raise BadInput(f"{folder} holds no weights: neither {NAMES[0]}, {NAMES[1]}, nor numbered shards of them")


def _index(path: Path) -> dict[str, str]:
    try:
        promised = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        outside = [name for name in promised.values() if Path(name).name != name]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is no index of weights: {type(error).__name__} {error}") from None
    if outside:
        raise BadInput(f"{path} must name files beside it, got {outside[0]}")
    return promised


def _held(file: Path) -> dict[str, Entry]:
    keys, get = _open(file)
    if file.suffix == ".safetensors":
        slices = {key: get.__self__.get_slice(key) for key in keys}
        return {key: Entry(file, tuple(one.get_shape()), one.get_dtype()) for key, one in slices.items()}
    tensors = {key: get(key) for key in keys}
    return {key: Entry(file, tuple(one.shape), DTYPES.get(one.dtype, str(one.dtype))) for key, one in tensors.items()}


def _open(file: Path) -> tuple[list[str], Callable[[str], Tensor]]:
    """Keys, and a function that maps one tensor."""
    try:
        if file.suffix == ".safetensors":
            opened = safe_open(file, "pt")
            return list(opened.keys()), opened.get_tensor
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except UnpicklingError:
        raise BadInput(f"{file} holds more than tensors: only weights are read, never code") from None
    except (SafetensorError, RuntimeError, ValueError, EOFError) as error:
        first = str(error).strip().splitlines()[0]
        raise BadInput(f"{file} cannot be read; is it whole? {first[:120]}") from None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BadInput(f"{file} must hold tensors by name, got {type(content).__name__} of other things")
    return list(content), content.__getitem__
