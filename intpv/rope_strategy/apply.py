"""The one place that knows transformers' rotary module: read its geometry, put a strategy's table in, take it out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


def geometry_of(config: Any, trained_length: int) -> RopeGeometry:
    """The geometry stated by a transformers text config; trained_length (tokens) is the strategy's choice."""
    rope = getattr(config, "rope_parameters", None) or {}
    if "rope_theta" not in rope:
        raise BadInput(f"rope_parameters must hold rope_theta, got {sorted(rope)} in {type(config).__name__}")
    return RopeGeometry(
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        base=float(rope["rope_theta"]),
        trained_length=trained_length,
        axes=tuple(rope.get("mrope_section") or ()),
    )


@contextmanager
def applied(rotary: nn.Module, strategy: RopeStrategy, geometry: RopeGeometry, factor: float) -> Iterator[None]:
    """Inside `with`, the rotary module turns by the strategy's table and temperature; afterwards it is as before.

    What comes back is the very tensor that was there, also after an exception. At s = 1 nothing is touched, unless
    the module was cast: the tables are float32, and bfloat16 is off by whole radians after 1000 tokens.
    BadInput for a module whose table would not be ours: see `_check`.
    """
    _check(rotary, geometry)
    table, scaling = rotary.inv_freq, rotary.attention_scaling
    if factor == 1 and table.dtype == torch.float32:
        yield
        return
    try:
        rotary.inv_freq = strategy.inv_freq(geometry, factor).to(table.device)
        rotary.attention_scaling = strategy.attention_scale(factor)
        yield
    finally:
        rotary.inv_freq, rotary.attention_scaling = table, scaling


def _check(rotary: nn.Module, geometry: RopeGeometry) -> None:
    """Refuse a module whose angles would differ from `strategy.angles`: wrong without a sign of it."""
    table = getattr(rotary, "inv_freq", None)
    if not isinstance(table, Tensor):
        raise BadInput(f"the rotary module must have a buffer inv_freq, got {type(rotary).__name__} without one")
    kind = getattr(rotary, "rope_type", "default")
    if "dynamic" in kind or kind == "longrope":
        raise BadInput(f"rope_type must keep its table during forward, got {kind}, which overwrites it")
    expected = baseline_inv_freq(geometry).to(table.device, table.dtype)
    if table.shape != expected.shape:
        raise BadInput(f"inv_freq must have head_dim / 2 = {len(expected)} channels, got {tuple(table.shape)}")
    rounding = torch.finfo(table.dtype)
    if not torch.allclose(table, expected, rtol=max(1e-5, rounding.eps), atol=rounding.smallest_normal * rounding.eps):
        raise BadInput(
            f"inv_freq must be the unscaled table of base {geometry.base:g}, got rope_type {kind} with "
            f"{table[-1].item():.4g} instead of {expected[-1].item():.4g} rad per token in the slowest channel"
        )
