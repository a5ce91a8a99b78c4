"""The Triton kernel equals eager and a dense softmax: interpreted on a CPU at random shapes, compiled on a GPU."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from intpv.attention.prefix import eager_attention
from intpv.attention.triton import _cos_and_sin, _turns, flash_attention, no_launch, unsupported
from intpv.kv_quant.kv_quant import KVQuant

from .packed_layers import GRANULARITIES, OPTIONS, float16_bounds, option, pack, query, video

QUANTISED = [name for name in OPTIONS if name != "none"]
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


@pytest.mark.slow
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
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == names
    assert all(float(error) <= 1e-4 for _, error, *_ in lines), lines
    assert all(float(share) <= 1 for _, _, *shares in lines for share in shares), lines


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
    for rows in (1, 24):
        layer, q, errors = _error(name, rows, torch.bfloat16)
        for error, bound in zip(errors, float16_bounds(q, layer, q.shape[2] ** -0.5), strict=True):
            assert error <= bound


@needs_triton
@pytest.mark.parametrize(("found", "said"), [({"CC": "/nonexistent"}, "/nonexistent"), ({"PATH": ""}, "C compiler")])
def test_says_that_there_is_no_compiler(tmp_path, found, said):
    """Triton asks for one at its first launch. Judged by its own driver, in a process that has launched nothing yet."""
    code = """
import sys, types, torch, triton.runtime
from triton.backends.nvidia.driver import CudaDriver
sys.modules["triton.runtime.driver"]._create_driver = CudaDriver  # as if there were a GPU
torch.cuda.get_device_properties = lambda device: types.SimpleNamespace(shared_memory_per_block_optin=2**20)
from intpv.attention.triton import no_launch
print(no_launch(torch.device("cpu")))
"""
    # a build that was kept is not made again
    places = {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_LIBCUDA_PATH": str(tmp_path)}
    env = {name: value for name, value in os.environ.items() if name != "CC"} | places | found
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("Triton fails on cpu with ")
    assert said in line


def test_a_gpu_with_little_shared_memory_is_told_so(monkeypatch):
    little = SimpleNamespace(shared_memory_per_block_optin=65536)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: little)
    assert "101376 bytes of shared memory for a program, cuda:7 has 65536" in no_launch(torch.device("cuda:7"))


def test_cosines_and_sines_are_made_once_a_prefix():
    """Of one prefix at a time, all its layers share them, and they go with it."""
    held = {}
    for seed in (0, 1):
        layout = video(20)
        angles = (seed + 1) * torch.arange(layout.length)[:, None] * 1e3 ** (-torch.arange(16) / 16)
        packed = option("best2").pack([tuple(torch.randn(2, 2, layout.length, 32))] * 3, layout, angles)
        before = packed.ledger()
        pre_rope = [layer.runs[0].keys.reading().pre_rope for layer in packed.layers]
        for exact, dtype in ((True, torch.float32), (False, torch.float16)):
            turns = [_cos_and_sin(one, exact) for one in pre_rope]
            assert all(turn is turns[0] for turn in turns)
            torch.testing.assert_close(turns[0], (angles.cos().to(dtype), angles.sin().to(dtype)), atol=1e-3, rtol=0)
        assert packed.ledger() == before
        held[seed] = packed
        assert len(_turns) == 2
    del held, packed, pre_rope, turns
    assert not _turns
