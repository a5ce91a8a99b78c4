"""Attention to a prefix: one contract, four paths; `chosen` says which.

Each gives out and lse in float32, within 1e-4 of attention to the dequantised prefix in float32. So it is for bfloat16
queries too, taken as the numbers that they are, but for two: Triton multiplies those in float16, each product within
2^-9 of its factors' norms (keys and values must be below 46,000, which RoPE keeps within float16); and what is stored
unquantised in 16 bits is read by torch's own kernel (sdpa), which rounds to these 16 bits as it does for transformers.
What the model is handed on is rounded to its own dtype afterwards.
"""

import logging
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch import device as Device

from intpv.attention.compiled import compiled_attention
from intpv.attention.dense import attend_dense_run
from intpv.attention.rules import Window
from intpv.attention.softmax import Attended, attend, merge, merged
from intpv.attention.triton import flash_attention, no_launch, unsupported
from intpv.compiler import broken_compiler
from intpv.errors import BadInput
from intpv.kv_quant.packed import PackedLayer

# Decode: by which path a packed layer is read, as kv_quant.decode asks for or, on `auto`, the best that pays.
#
# `chosen` is what a run records: it is the path that `prefix_attention` takes.


log = logging.getLogger(__name__)

WORTH = 2**21  # stored codes of a layer, keys and values, from which the seconds of a compilation come back in a video


def chosen(layer: object, device: Device) -> str:
    """eager, sdpa, compiled or triton. BadInput, with the reason, where what was asked for cannot be run here."""
    if not isinstance(layer, PackedLayer):
        return "eager"  # it hands out dense blocks and nothing else
    if layer.decode == "auto":
        path = _best(layer, device)
        _say(path, str(device))
        return path
    reason = {"eager": _nothing, "compiled": _no_compiler, "triton": _no_triton}[layer.decode](layer, device)
    if reason:
        raise BadInput(f"kv_quant.decode={layer.decode} cannot be run: {reason}")
    return layer.decode


def _best(layer: PackedLayer, device: Device) -> str:
    codes = _codes(layer)
    if not codes:
        return "sdpa"
    if codes < WORTH:
        return "eager"
    if not _no_triton(layer, device):
        return "triton"
    return "eager" if _no_compiler(layer, device) else "compiled"


def _codes(layer: PackedLayer) -> int:
    readings = [side.reading() for run in layer.runs for side in (run.keys, run.values)]
    return sum(reading.packed.numel() * 8 // reading.format.bits for reading in readings if reading)


def _nothing(layer: PackedLayer, device: Device) -> None:
    return None


def _no_triton(layer: PackedLayer, device: Device) -> str | None:
    if device.type != "cuda":
        return f"it needs a CUDA device, got {device}"
    if find_spec("triton") is None:
        return "it needs the package triton, which is not installed"
    reason = unsupported(layer)
    return f"the kernel cannot read {reason}" if reason else no_launch(device)


def _no_compiler(layer: PackedLayer, device: Device) -> str | None:
    return broken_compiler(device)


@cache
def _say(path: str, device: str) -> None:
    log.info("kv_quant.decode=auto reads the prefix by %s on %s", path, device)


@runtime_checkable
class PrefixLayer(Protocol):
    """One layer of a prefix, which hands out dense blocks; a `PackedLayer` is read as it is stored."""

    def blocks(self) -> Iterator[tuple[Float[Tensor, "H_kv t d"], Float[Tensor, "H_kv t d"]]]: ...


def prefix_attention(
    q: Float[Tensor, "H R d"],
    packed_layer: PrefixLayer,
    scaling: float,
    softcap: float | None = None,
    window: Window | None = None,
) -> tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]:
    """Every row attends to the prefix -> out and lse, float32. BadInput where a path that was asked for cannot be run.

    `window` is None where every row sees all of the prefix. Windows and `softcap` are for the eager path alone.
    """
    if softcap is None and window is None:
        if not isinstance(packed_layer, PackedLayer):
            return eager_attention(q, packed_layer, scaling)
        return PATHS[chosen(packed_layer, q.device)](q, packed_layer, scaling)
    if (asked := getattr(packed_layer, "decode", "auto")) not in ("auto", "eager"):
        raise BadInput(f"kv_quant.decode={asked} cannot be run: it has no sliding windows and no soft-capped logits")
    return _by_the_rules(q, packed_layer, scaling, softcap, window)


def _by_the_rules(
    q: Tensor, layer: PrefixLayer, scaling: float, softcap: float | None, window: Window | None
) -> tuple[Tensor, Tensor]:
    """Eager; of a block that no row's window reaches nothing is computed."""
    lowest, highest = (window.lowest, window.highest) if window else (0, 0)
    out = torch.zeros(q.shape, device=q.device), torch.full(q.shape[:2], -torch.inf, device=q.device)
    start = 0
    for keys, values in layer.blocks():
        stop = start + keys.shape[1]
        if stop > lowest:
            skipped = max(lowest - start, 0)
            mask = None
            if window is not None and highest > start + skipped:
                mask = torch.arange(start + skipped, stop, device=q.device) >= window.first[:, None]
            out = merge(*out, *attend(q, keys[:, skipped:], values[:, skipped:], scaling, mask, softcap))
        start = stop
    return out


def eager_attention(
    q: Float[Tensor, "H R d"], layer: PrefixLayer, scaling: float
) -> tuple[Float[Tensor, "H R d"], Float[Tensor, "H R"]]:
    """Block by block, each made dense: the reference that the other paths must equal."""
    return merged(attend(q, k, v, scaling) for k, v in layer.blocks())


def sdpa_attention(q: Float[Tensor, "H R d"], layer: PackedLayer, scaling: float) -> Attended:
    """Of a layer that is all stored dense: torch's own kernel on the tensors as they lie there."""
    return merged(attend_dense_run(q, run, scaling) for run in layer.runs)


PATHS = {
    "eager": eager_attention,
    "sdpa": sdpa_attention,
    "compiled": compiled_attention,
    "triton": flash_attention,
}
