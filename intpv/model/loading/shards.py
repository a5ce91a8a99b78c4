"""Shards: the weight files of a checkpoint folder, found and named first, then read tensor by tensor.

model.safetensors, its index.json, pytorch_model.bin, its index.json: the first that is there is read, whatever else
lies beside it, as transformers does. Where there is none of them, numbered shards that lack their index. A .bin is read
by torch's weights_only loader, which knows tensors and runs no code.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from intpv.errors import BadInput
from intpv.model.loading.config_json import json_object
from intpv.regular_file import safetensors_table

NAMES = ("model.safetensors", "pytorch_model.bin")
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

    def mapped(self) -> dict[str, Tensor]:
        """Every tensor as a view of its file, which is mapped once: none is read before it is used."""
        files = dict.fromkeys(entry.file for entry in self.entries.values())
        return {key: get(key) for keys, get in map(_open, files) for key in keys}

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
    promised: dict[str, str] = {}
    for name in NAMES:
        if (folder / name).is_file():
            return [folder / name], promised
        if (folder / f"{name}.index.json").is_file():
            promised = _index(folder / f"{name}.index.json")
            names = sorted(set(promised.values()))
            return _there(folder, names, len(names)), promised
    for name in NAMES:
        stem, suffix = name.split(".")
        found = [re.fullmatch(rf"{stem}-\d+-of-(\d+)\.{suffix}", file.name) for file in folder.iterdir()]
        counts = sorted({match[1] for match in found if match})
        if len(counts) > 1:
            raise BadInput(f"{folder} holds shards of several checkpoints, of {' and '.join(counts)}, and no index")
        for count in counts:
            numbers = range(1, int(count) + 1)
            numbered = (f"{stem}-{number:0{len(count)}}-of-{count}.{suffix}" for number in numbers)
            return _there(folder, numbered, int(count)), promised
    raise BadInput(f"{folder} holds no weights: neither {NAMES[0]}, {NAMES[1]}, nor numbered shards of them")


def _there(folder: Path, names: Iterable[str], count: int) -> list[Path]:
    files = []
    for name in names:
        files.append(folder / name)
        if not files[-1].is_file():
            raise BadInput(f"{files[-1]} is missing: the checkpoint has {count} shards")
    return files


def _index(path: Path) -> dict[str, str]:
    promised = json_object(path).get("weight_map")
    if not isinstance(promised, dict) or not promised or not all(isinstance(one, str) for one in promised.values()):
        raise BadInput(f"{path} is no index of weights: its weight_map must name a file for every key")
    if outside := [name for name in promised.values() if Path(name).name != name]:
        raise BadInput(f"{path} must name files beside it, got {outside[0]}")
    return promised


def _held(file: Path) -> dict[str, Entry]:
    if file.suffix == ".safetensors":
        try:
            table = safetensors_table(file)
            held = {key: (tuple(one["shape"]), one["dtype"]) for key, one in table.items() if key != "__metadata__"}
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise BadInput(f"{file} cannot be read; is it whole? {str(error)[:120]}") from None
        return {key: Entry(file, *one) for key, one in held.items()}
    keys, get = _open(file)
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
    except MemoryError:
        raise BadInput(
            f"{file} of {file.stat().st_size:,} bytes does not fit into the memory of this process"
        ) from None
    except (SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise BadInput(f"{file} cannot be read; is it whole? {' '.join(str(error).split())[:120]}") from None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BadInput(f"{file} must hold tensors by name, got {type(content).__name__} of other things")
    return list(content), content.__getitem__


# Filling: put a checkpoint's tensors into modules that have none yet; strict, frugal, and all or nothing.
#
# Names and shapes are compared before a weight is read. Each tensor is then cast and moved to the device on its own, so
# beside the weights as they will be used no more than one mapped piece of a file is in memory.


SHOWN = 4  # names in a message; 264 temporal tensors would not fit a line


@dataclass(frozen=True)
class Naming:
    """How a checkpoint's keys become a module's: the first fitting prefix is exchanged, ignored keys are left out."""

    prefixes: tuple[tuple[str, str], ...]  # (the checkpoint's, the module's)
    ignored: tuple[str, ...] = ()  # regular expressions, searched for; each is a known tensor without use here

    def target(self, key: str) -> str | None:
        """The module's name; None for an ignored key; a key that no prefix fits stays as it is."""
        if any(re.search(pattern, key) for pattern in self.ignored):
            return None
        for theirs, ours in self.prefixes:
            if key.startswith(theirs):
                return ours + key.removeprefix(theirs)
        return key

    def source(self, name: str) -> str:
        """What the checkpoint would call it, for messages."""
        for theirs, ours in self.prefixes:
            if name.startswith(ours):
                return theirs + name.removeprefix(ours)
        return name


Source = tuple[Shards, Naming]


def fill(sources: Sequence[Source], module: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """Give `module` all its weights from `sources`.

    Raises BadInput for tensors that are missing, left over, of another shape, not float or not finite; the module has
    then none of them.
    """
    plans = _plan(module, sources)
    weights = {
        plan[key]: _usable(tensor, key, shards.entries[key], dtype, device)
        for (shards, _), plan in zip(sources, plans, strict=True)
        for key, tensor in shards.read(plan)
    }
    module.load_state_dict(weights, strict=True, assign=True)


def _plan(module: nn.Module, sources: Sequence[Source]) -> list[dict[str, str]]:
    """Key -> name in the module, for each source; together they are exactly the module's."""
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    plans: list[dict[str, str]] = []
    left_over: list[str] = []
    taken: dict[str, str] = {}  # name -> key
    for shards, naming in sources:
        plan = {}
        for key, entry in shards.entries.items():
            name = naming.target(key)
            if name is None:
                continue
            if name not in wanted:
                left_over.append(key)
                continue
            if name in taken:
                raise BadInput(f"{entry.file}: {key} and {taken[name]} are both {name}")
            if entry.shape != wanted[name]:
                raise BadInput(f"{entry.file}: {key} has shape {entry.shape}, the model's sizes need {wanted[name]}")
            plan[key], taken[name] = name, key
        plans.append(plan)
    missing = [sources[0][1].source(name) for name in wanted.keys() - taken.keys()]
    if missing or left_over:
        faults = {"missing": missing, "left over": left_over}
        folders = " and ".join(str(shards.folder) for shards, _ in sources)
        raise BadInput(f"{folders}: {'; '.join(_named(kind, keys) for kind, keys in faults.items() if keys)}")
    return plans


def _named(kind: str, keys: list[str]) -> str:
    keys = sorted(keys, key=lambda key: ("temporal" not in key, key))
    more = f" and {len(keys) - SHOWN} more" * (len(keys) > SHOWN)
    return f"{len(keys)} tensors {kind}: {', '.join(keys[:SHOWN])}{more}"


def _usable(tensor: Tensor, key: str, entry: Entry, dtype: torch.dtype, device: torch.device) -> Tensor:
    if not tensor.is_floating_point():
        raise BadInput(f"{entry.file}: {key} must be float, got {tensor.dtype}: quantised weights are not read")
    weight = tensor.to(device=device, dtype=dtype, copy=True)  # a copy always: what is mapped changes with its file
    least, most = (float(value) for value in torch.aminmax(weight))
    if not (-float("inf") < least and most < float("inf")):
        stored = "nan or inf" if not tensor.isfinite().all() else f"values beyond {dtype}, which it was asked to become"
        raise BadInput(f"{entry.file}: {key} holds {stored}")
    return weight.contiguous()
