"""A checkpoint's own RoPE, read from transformers' rotary module and config: the baseline that strategies act on.

Every rope_type of transformers is run as trained. Where the table depends on the length of the sequence it is fixed
once per context, for a prefix is rotated before its questions are known:

longrope    the short or the long table, as the checkpoint would choose for the prefix and the text kept for a question
dynamic     the table up to max_position_embeddings, which is the trained one; what would go beyond is refused

Gemma 3 and its like rotate layers that attend to a window and layers that attend to everything by tables of their own.
Only the latter see a video grow, so only they are scaled; the others rotate as in training.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, plain_inv_freq

WINDOWED = ("sliding_attention", "chunked_attention")  # types of layers that see their neighbours alone


@dataclass(frozen=True)
class OwnRope:
    """What a checkpoint rotates by: `scaled` is what strategies scale, `fixed` are types of layers they leave alone.

    >>> everything, window = (RopeGeometry(head_dim=4, base=base, trained_length=64) for base in (1e6, 1e4))
    >>> own = OwnRope(everything, {"sliding_attention": window}, "full_attention")  # as in Gemma 3
    >>> own.scaled.base, own.fixed["sliding_attention"].base
    (1000000.0, 10000.0)
    """

    scaled: RopeGeometry
    fixed: dict[str | None, RopeGeometry]
    layer_type: str | None = None  # of the layers that are scaled; None: all layers share one table


def own_rope(rotary: nn.Module, trained_length: int, growing: tuple[str, ...] = (), length: int = 1) -> OwnRope:
    """Read from a module for contexts of `length` positions; trained_length (positions) is the strategy's choice.

    With M-RoPE `growing` are the axes that more frames make longer. BadInput for a module whose cos and sin we could
    not make, and for one whose table is not what its config says: changed by hand, it would be lost without a sign.
    """
    config: Any = getattr(rotary, "config", None)
    if not hasattr(config, "rope_parameters"):
        raise BadInput(f"the rotary module must have a config with rope_parameters, got {type(rotary).__name__}")
    stated = getattr(rotary, "rope_type", "default")
    types = tuple(stated) if isinstance(stated, dict) else (None,)
    for kind in types:
        rope = config.rope_parameters[kind] if kind else config.rope_parameters
        if rope.get("rope_theta") is None:
            said = sorted(name for name, value in rope.items() if value is not None)
            raise BadInput(f"rope_parameters must hold rope_theta, got {said} in {type(config).__name__}")
    read = {kind: _geometry(rotary, kind, trained_length, growing, length) for kind in types}
    scaled = [kind for kind in types if kind not in WINDOWED] or list(types)
    if len(scaled) > 1:
        raise BadInput(f"layers must have one table beside those of a window, got {', '.join(map(str, scaled))}")
    return OwnRope(read.pop(scaled[0]), read, scaled[0])


def _geometry(
    rotary: nn.Module, kind: str | None, trained_length: int, growing: tuple[str, ...], length: int
) -> RopeGeometry:
    config: Any = rotary.config  # a tensor or a module, to torch
    prefix = f"{kind}_" if kind else ""
    rope = config.rope_parameters[kind] if kind else config.rope_parameters
    rope_type = rope.get("rope_type", "default")
    fresh = type(rotary)(config).to("cpu")  # float32, whatever the model was cast to; and free to be tried out
    holds = None
    if "dynamic" in rope_type:
        holds = config.max_position_embeddings
    elif rope_type == "longrope":
        short = rope["original_max_position_embeddings"]
        holds = None if length > short else short
        _cos_and_sin(fresh, torch.full((1, 1), length - 1.0), kind)  # the module's own choice of table
    table = getattr(fresh, f"{prefix}inv_freq").float().clone()
    _check(rotary, table, prefix, rope_type)
    plain = plain_inv_freq(2 * len(table), float(rope["rope_theta"]))
    sections = tuple(rope.get("mrope_section") or getattr(rotary, "mrope_section", ()))
    geometry = RopeGeometry(
        head_dim=2 * len(table),
        base=float(rope["rope_theta"]),
        trained_length=trained_length,
        axes=sections,
        axis_of=axis_of(fresh) if sections else (),
        growing=growing if sections else (),
        own=() if torch.equal(table, plain) else tuple(table.tolist()),
        own_scale=float(getattr(fresh, f"{prefix}attention_scaling")),
        rope_type=rope_type,
        own_factor=float(rope.get("factor") or 1.0),
        holds=holds,
    )
    columns, twice = _columns(fresh, kind, geometry), tuple(range(len(table))) * 2
    return geometry if columns == twice else replace(geometry, columns=columns)


def _check(rotary: nn.Module, expected: Tensor, prefix: str, rope_type: str) -> None:
    """BadInput where the module's table is not the one its config says."""
    changing = "dynamic" in rope_type or rope_type == "longrope"  # with the last sequence that was read
    table = getattr(rotary, f"{prefix}original_inv_freq" if changing else f"{prefix}inv_freq", None)
    if not isinstance(table, Tensor):
        raise BadInput(f"the rotary module must have a buffer {prefix}inv_freq, got {type(rotary).__name__} without")
    if table.shape != expected.shape:
        raise BadInput(f"inv_freq must have {len(expected)} channels, got {tuple(table.shape)}")
    if changing:
        return
    rounding = torch.finfo(table.dtype)
    here = expected.to(table.device, table.dtype)
    if not torch.allclose(table, here, rtol=max(1e-5, rounding.eps), atol=rounding.smallest_normal * rounding.eps):
        raise BadInput(
            f"inv_freq must be the table of its config, rope_type {rope_type}: got {table[-1].item():.4g} instead of "
            f"{expected[-1].item():.4g} rad per token in the slowest channel"
        )


def axis_of(rotary: nn.Module) -> tuple[int, ...]:
    """The axis that each of M-RoPE's d/2 channels listens to, asked of the module: sections lie one after another in
    Qwen2.5-VL, interleaved in Qwen3-VL, and no config says so. BadInput for a channel that listens to none or several.
    """
    ids = torch.eye(3, device=cast(Tensor, rotary.inv_freq).device)[
        :, None
    ]  # (axis, batch 1, token): token i is at 1 on axis i
    sines = _cos_and_sin(rotary, ids, None)[1][0]  # sines, (token, channels); those at 0 are exactly 0
    listens = sines[:, : sines.shape[1] // 2] != 0
    if not (listens.sum(0) == 1).all():
        raise BadInput(f"each channel of M-RoPE must belong to one axis, {type(rotary).__name__} has one of several")
    return tuple(listens.int().argmax(0).tolist())


def _columns(fresh: nn.Module, kind: str | None, geometry: RopeGeometry) -> tuple[int, ...]:
    """Which channel each column of cos and sin is of: twice one after another, side by side, once; no config says so.

    Asked of a module that rotates channel i by i steps. It is spoilt afterwards.
    """
    channels = geometry.head_dim // 2
    step = 3.0 / channels  # all of them below half a turn
    stated = {kind: "default"} if kind else "default"  # so that it keeps the table it is given
    fresh.rope_type = stated  # type: ignore[assignment]  # torch knows tensors and modules alone
    setattr(fresh, f"{kind}_inv_freq" if kind else "inv_freq", torch.arange(channels) * step)
    cos, sin = _cos_and_sin(fresh, torch.ones(3, 1, 1) if geometry.axes else torch.ones(1, 1), kind)
    steps = torch.atan2(sin, cos)[0, 0] / step
    found = steps.round()
    if not ((steps - found).abs() < 0.1).all() or found.min() < 0 or found.max() >= channels:
        raise BadInput(f"{type(fresh).__name__} makes its table anew in every forward: what it rotates by is not known")
    return tuple(found.int().tolist())


def _cos_and_sin(rotary: nn.Module, position_ids: Tensor, kind: str | None) -> tuple[Tensor, Tensor]:
    """cos and sin. BadInput for a module that gives something else."""
    named: dict[str, Any] = {"layer_type": kind} if kind else {}
    found = rotary(torch.zeros(1), position_ids, **named)
    if not (isinstance(found, tuple) and len(found) == 2 and not found[0].is_complex()):
        raise BadInput(f"the rotary module must give cos and sin, {type(rotary).__name__} gives {type(found).__name__}")
    return found
