"""Decode: by which path a packed layer is read, as kv_quant.decode asks for or, on `auto`, the best that pays.

`chosen` is what a run records: it is the path that `prefix_attention` takes.
"""

import logging
from functools import cache
from importlib.util import find_spec

import torch
from torch import device as Device

from intpv.attention.flash import unsupported
from intpv.attention.reading import PackedLayer
from intpv.errors import BadInput

log = logging.getLogger(__name__)

WORTH = 2**21  # stored codes of a layer, keys and values, from which the seconds of a compilation come back in a video


def chosen(layer: object, device: Device) -> str:
    """eager, compiled or triton. BadInput, with the reason, where what was asked for cannot be run here."""
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
    if _codes(layer) < WORTH:
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
    return reason and f"the kernel cannot read {reason}"


def _no_compiler(layer: PackedLayer, device: Device) -> str | None:
    return _compiles(device)


@cache
def _compiles(device: Device) -> str | None:
    """Tried, not guessed: a compiler may be there and its headers not. None if it works."""
    try:
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.zeros(8, device=device))
    except Exception as error:  # whatever a tool chain may fail with
        return f"torch.compile fails on {device} with {type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return None


@cache
def _say(path: str, device: str) -> None:
    log.info("kv_quant.decode=auto reads the prefix by %s on %s", path, device)
