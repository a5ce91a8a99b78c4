"""The one place that knows transformers' rotary module: read its geometry, put a strategy's table in, take it out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


def geometry_of(
    config: Any, trained_length: int, rotary: nn.Module | None = None, growing: tuple[str, ...] = ()
) -> RopeGeometry:
    """The geometry stated by a transformers text config; trained_length (tokens) is the strategy's choice.

    With M-RoPE the rotary module says which channel is whose, and `growing` which axes more frames make longer.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    if "rope_theta" not in rope:
        raise BadInput(f"rope_parameters must hold rope_theta, got {sorted(rope)} in {type(config).__name__}")
    sections = tuple(rope.get("mrope_section") or ())
    several = bool(sections) and rotary is not None
    return RopeGeometry(
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        base=float(rope["rope_theta"]),
        trained_length=trained_length,
        axes=sections,
        axis_of=axis_of(rotary) if several else (),
        growing=growing if several else (),
        interpolation=float(rope["factor"]) if rope.get("rope_type") == "linear" else 1.0,
    )


def axis_of(rotary: nn.Module) -> tuple[int, ...]:
    """The axis that each of M-RoPE's d/2 channels listens to, asked of the module: sections lie one after another in
    Qwen2.5-VL, interleaved in Qwen3-VL, and no config says so. BadInput for a channel that listens to none or several.
    """
    ids = torch.eye(3, device=rotary.inv_freq.device)[
        :, None
    ]  # (axis, batch 1, token): token i is at 1 on axis i alone
    turned = rotary(torch.zeros(1, device=ids.device), ids)[1][0]  # sines, (token, channels); those at 0 are exactly 0
    listens = turned[:, : turned.shape[1] // 2] != 0
    if not (listens.sum(0) == 1).all():
        raise BadInput(f"each channel of M-RoPE must belong to one axis, {type(rotary).__name__} has one of several")
    return tuple(listens.int().argmax(0).tolist())


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
        rotary.inv_freq = strategy.table(geometry, factor).to(table.device)
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
