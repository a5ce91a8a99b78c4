"""Weights: finite numbers, of the type and in the place that were asked for."""

from collections.abc import Sequence

import torch
from torch import nn

from intpv.check.finding import Check, Wrong, equal
from intpv.check.shown_model import Subject
from intpv.model.loading.hub import devices_of, precision


def checks(subject: Subject, dtype: str | None, device: str | Sequence[str] | None) -> list[Check]:
    """`dtype` and `device` as in the model's config; None where it has no such key."""
    modules = {"llm": subject.model.llm, "encoder": subject.model.encoder}
    return [
        Check("weights finite", lambda: _finite(modules), needed=True),
        Check("dtype", lambda: _dtype(modules, dtype)),
        Check("device", lambda: _device(modules, device), needed=True),
    ]


def _weights(modules: dict[str, nn.Module]) -> list[tuple[str, nn.Parameter]]:
    return [(f"{part}.{name}", w) for part, module in modules.items() for name, w in module.named_parameters()]


def _finite(modules: dict[str, nn.Module]) -> str:
    weights = _weights(modules)
    for name, weight in weights:
        if weight.is_meta:
            raise Wrong(f"{name} has no weights (meta device)")
        if not all(end.isfinite() for end in torch.aminmax(weight)):
            raise Wrong(f"{name} holds nan or inf")
    count = sum(weight.numel() for weight in {id(w): w for _, w in weights}.values())
    return f"{count / 1e6:,.1f} M in {len(weights)} tensors"


def _dtype(modules: dict[str, nn.Module], asked: str | None) -> str:
    kinds = {weight.dtype: name for name, weight in _weights(modules) if weight.is_floating_point()}
    for kind, name in kinds.items():
        equal(f"{name} is", kind, precision(asked) if asked else next(iter(kinds)), "asked" if asked else "others are")
    return f"{next(iter(kinds))}, {'as asked' if asked else 'not asked for'}"


def _device(modules: dict[str, nn.Module], asked: str | Sequence[str] | None) -> str:
    places = {weight.device: name for name, weight in _weights(modules)}
    if asked:
        wanted = devices_of(asked)
        for place, name in places.items():
            if not any(place.type == one.type and one.index in (None, place.index) for one in wanted):
                raise Wrong(f"{name} is on {place}, asked {asked}")
    return f"{', '.join(str(place) for place in places)}, {'as asked' if asked else 'not asked for'}"
