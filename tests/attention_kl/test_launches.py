"""At a 7B model's size a GPU is kept busy by few large kernels: launches per pass and layer, counted without one."""

from dataclasses import fields, is_dataclass, replace

import pytest
import torch

from intpv.attention_kl.key_groups import KeyGroups
from intpv.attention_kl.passes import RecutLayer
from intpv.attention_kl.streaming import Asked, Side, compare, group_tallies
from intpv.layout import Layout, Span
from intpv.options import option

from ..launches import Launches

HEADS, ROWS, D = 32, 1150, 32  # of Video-LLaVA-7B with 24 questions, but for d and key heads: no launch depends on them
LAYOUT = Layout((Span(36), *(Span(257, float(frame)) for frame in range(64))))
GROUPS = KeyGroups.of(LAYOUT)
META = torch.device("meta")  # any device but a CPU is taken for a GPU


def _on(device: torch.device, part):
    """A packed layer or sides, with all their tensors there."""
    if isinstance(part, torch.Tensor):
        return part.to(device)
    if isinstance(part, tuple | list):
        return type(part)(_on(device, one) for one in part)
    if is_dataclass(part):
        return replace(part, **{one.name: _on(device, getattr(part, one.name)) for one in fields(part) if one.init})
    return part


def _side(name: str) -> Side:
    keys = torch.randn(1, LAYOUT.length, D)
    angles = torch.arange(LAYOUT.length)[:, None] / torch.arange(1, D // 2 + 1)
    layer = _on(META, option("kv_quant", name).pack([(keys, keys)], LAYOUT, angles).layers[0])
    own = torch.empty(1, ROWS, D, device=META)
    mask = torch.empty(ROWS, ROWS, dtype=torch.bool, device=META)
    return Side(Asked(torch.empty(HEADS, ROWS, D, device=META), own, own, mask, D**-0.5), layer)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("none", 900), ("int2", 1600), ("best2", 4200)])
def test_a_pass_over_one_layer_is_few_launches(name, most):
    """A ratchet: in portions for a CPU's cache it would be 100,000."""
    sides = _side("none"), _side(name)
    with torch.no_grad(), Launches() as launches:
        compare(*sides, GROUPS)
    assert 0 < launches.count <= most


def test_so_is_one_model_alone():
    side = _side("int2")
    with torch.no_grad(), Launches() as launches:
        group_tallies(side, GROUPS)
    assert 0 < launches.count <= 1000


def test_a_recut_prefix_is_few_blocks():
    recut = RecutLayer(_side("none").prefix)
    assert len(list(recut.blocks())) <= 60
