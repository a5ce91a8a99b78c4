"""Filling: put a checkpoint's tensors into modules that have none yet; strict, frugal, and all or nothing.

Names and shapes are compared before a weight is read. Each tensor is then cast and moved to the device on its own, so
beside the weights as they will be used no more than one mapped piece of a file is in memory.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from intpv.errors import BadInput
from intpv.model.shards import Entry, Shards

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
    plans, left_over, taken = [], [], {}
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
