"""Calibration files of any shape, made by the code that makes real ones."""

import pytest
import torch

from intpv.kv_quant.calibration import Calibration, Stream
from intpv.kv_quant.origin import Origin

ORIGIN = {
    "model": "tiny",
    "weights": "0123456789abcdef",
    "encoder": "per_frame",
    "rearranger": "strided",
    "frames": 32,
    "strategy": "yarn",
    "rope_parameters": "{}",
    "factor": 4.0,
    "attention_scale": 1.0,
}


@pytest.fixture
def origin():
    """An origin, with what is given in its place."""
    return lambda **changes: Origin(**{**ORIGIN, **changes})


@pytest.fixture
def calibrated(tmp_path, origin):
    """(path of a file, prefixes that it was streamed from, their angles): L layers, H_kv heads, d channels, random."""

    def make(layers=2, heads=2, d=16, tokens=40, prefixes=3, name="calibration", **changes):
        stream, seen, angles = Stream(bins=32, sinks=0), [], torch.arange(tokens)[:, None] * torch.rand(d // 2)
        for _ in range(prefixes):
            seen.append([tuple(torch.randn(2, heads, tokens, d)) for _ in range(layers)])
            stream.add(seen[-1], angles)
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(Calibration(stream.statistics(), origin(**changes), {}).encode())
        return str(path), seen, angles

    return make
