"""The Triton kernel equals eager and a dense softmax: interpreted on a CPU at random shapes, compiled on a GPU."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from intpv.attention.flash import flash_attention, unsupported
from intpv.attention.prefix import eager_attention
from intpv.kv_quant.kv_quant import KVQuant

from .packed_layers import GRANULARITIES, OPTIONS, option, pack, query, video

QUANTISED = [name for name in OPTIONS if name != "none"]
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


def test_importable_without_triton():
    code = "import sys; sys.modules['triton'] = None; import intpv.attention.prefix"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@needs_triton
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_interpreted(seed):
    names = QUANTISED[seed:] + QUANTISED[:seed]  # each option meets other head dims and rows
    done = subprocess.run(
        [sys.executable, "-m", "tests.attention.interpreted", str(seed), *names],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = dict(line.split() for line in done.stdout.splitlines())
    assert list(errors) == names
    assert max(map(float, errors.values())) <= 1e-4, errors


def test_names_what_it_cannot_read():
    base = {"bits": 4, "key_group": 8, "value_group": 8}
    assert "values of 16 bits" in unsupported(pack(KVQuant(**base, value_bits=16), video(5)))
    assert "key_hadamard=True" in unsupported(pack(KVQuant(**base, pre_rope=True, key_hadamard=True), video(5)))
    assert "32, 64, 128, got 16" in unsupported(pack(KVQuant(**base), video(5), d=16))
    for name in OPTIONS:
        assert unsupported(pack(option(name), video(35))) is None


def _error(name_or_policy, rows, dtype, d=128):
    policy = option(name_or_policy) if isinstance(name_or_policy, str) else name_or_policy
    with torch.device("cuda"):
        layer = pack(policy, video(300), 2, d)
        q = query(layer, 3, rows).to(dtype)
    scaling = q.shape[2] ** -0.5
    got, want = flash_attention(q, layer, scaling), eager_attention(q, layer, scaling)
    return layer, q, [(a - b).abs().max().item() for a, b in zip(got, want, strict=True)]


@pytest.mark.gpu
@needs_triton
@pytest.mark.parametrize("name", QUANTISED)
def test_on_the_device(name):
    for rows in (1, 5, 24, 300):
        for d in (32, 64, 128):
            assert max(_error(name, rows, torch.float32, d=d)[2]) <= 1e-4


@pytest.mark.gpu
@needs_triton
@pytest.mark.parametrize("k", GRANULARITIES)
@pytest.mark.parametrize("v", GRANULARITIES)
def test_granularities_on_the_device(k, v):
    groups = {"tensor": None, "channel": 32, "token": 32, "temporal": 4}
    fields = {"key_granularity": k, "value_granularity": v, "key_group": groups[k], "value_group": groups[v]}
    for more in ({"bits": 2}, {"bits": 8, "pre_rope": True}):
        assert max(_error(KVQuant(**fields, **more), 5, torch.float32)[2]) <= 1e-4


@pytest.mark.gpu
@needs_triton
@pytest.mark.parametrize("name", QUANTISED)
def test_bfloat16_on_the_device(name):
    """A product in TF32 is off by at most 2^-9 of its factors' norms; a logit's error moves a mean by twice that."""
    for rows in (1, 24):
        layer, q, (out, lse) = _error(name, rows, torch.bfloat16)
        keys, values = (torch.cat(x, 1).float() for x in zip(*layer.blocks(), strict=True))
        logit = 2**-9 * (q.float().norm(dim=-1).max() * keys.norm(dim=-1).max() * q.shape[2] ** -0.5).item()
        assert lse <= logit + 1e-4
        assert out <= (2 * logit + 2**-9) * values.abs().max().item() + 1e-4
