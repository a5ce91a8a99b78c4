"""Torch's own kernels, called with their log-sum-exp, are softmax attention; which one is called is torch's choice."""

import pytest
import torch

from intpv.attention import dense
from intpv.attention.dense import attend_dense_run, fused_attention
from intpv.attention.softmax import attend
from intpv.kv_quant.packed import Run
from intpv.kv_quant.stored import Dense

from ..launches import launches

SIZES = [(4, 4, 1, 7), (4, 2, 5, 60), (6, 1, 33, 130), (8, 8, 3, 1)]  # H, H_kv, R, t


def drawn(heads, kv_heads, rows, tokens, d=16, dtype=torch.float32, device="cpu"):
    sizes = (heads, rows, d), (kv_heads, tokens, d), (kv_heads, tokens, d)
    return [torch.randn(size, dtype=dtype, device=device) for size in sizes]


def exact(q, k, v, scaling, mask=None):
    """In float64 -> out, lse."""
    k, v = (x.double().repeat_interleave(len(q) // len(x), 0) for x in (k, v))
    scores = q.double() @ k.mT * scaling
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


def seen_by(rows, tokens):
    """A random mask under which each row sees something."""
    mask = torch.rand(rows, tokens) < 0.5
    mask[:, 0] |= ~mask.any(1)
    return mask


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [None, "bool", "added"])
def test_float32_is_exact(size, masked):
    q, k, v = drawn(*size)
    mask = seen_by(size[2], size[3]) if masked else None
    if masked == "added":
        mask = torch.randn(mask.shape).masked_fill(~mask, -torch.inf)
    found = fused_attention(q, k, v, 0.3, mask)
    for got, want in zip(found, exact(q, k, v, 0.3, mask), strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got.double(), want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", SIZES)
def test_sixteen_bits_are_rounded_as_torch_rounds(size, dtype):
    """To the bit what transformers' sdpa gives for the same cache."""
    q, k, v = drawn(*size, dtype=dtype)
    out, lse = fused_attention(q, k, v, 0.3)
    judge = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], scale=0.3, enable_gqa=True)[0]
    epsilon = torch.finfo(dtype).eps
    torch.testing.assert_close(out, judge.float(), atol=2 * epsilon, rtol=2 * epsilon)
    torch.testing.assert_close(lse.double(), exact(q, k, v, 0.3)[1], atol=1e-4, rtol=1e-4)


def test_other_dtypes_beside_each_other_are_float32():
    q, k, v = drawn(4, 2, 5, 2100)
    k, v = k.bfloat16(), v.bfloat16()
    run = Run(Dense(k), Dense(v))
    for got, want in zip(attend_dense_run(q, run, 0.3), exact(q, k, v, 0.3), strict=True):
        torch.testing.assert_close(got.double(), want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [1, 8, 13])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2)])
def test_shapes_of_the_kernels_for_gpus(heads, kv_heads, tokens, monkeypatch):
    """By torch's own description of each: what they give out is taken apart rightly, padded log-sum-exps too."""
    q, k, v = drawn(heads, kv_heads, 5, tokens, d=32, device="meta")
    mask = torch.ones(5, tokens, dtype=torch.bool, device="meta")
    for kernel, given in ((dense._flash, None), (dense._efficient, None), (dense._efficient, mask)):
        monkeypatch.setattr(dense, "_kernel", lambda *_, kernel=kernel: kernel)
        out, lse = fused_attention(q, k, v, 0.3, given)
        assert (out.shape, out.dtype, lse.shape, lse.dtype) == ((heads, 5, 32), torch.float32, (heads, 5), lse.dtype)


def test_a_gpus_mask_has_aligned_rows():
    bias = dense._bias(torch.eye(5, 13, dtype=torch.bool), torch.bfloat16)
    assert bias.stride() == (80, 80, 16, 1)
    assert bias.isneginf().sum() == 5 * 13 - 5
    assert bias.max() == 0


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", [*SIZES, (32, 32, 24, 4112), (32, 8, 1000, 1000)])
def test_on_a_gpu(size, masked, dtype):
    q, k, v = drawn(*size, d=128, dtype=dtype, device="cuda")
    mask = seen_by(size[2], size[3]).cuda() if masked else None
    bound = 1e-4 if dtype == torch.float32 else 4 * torch.finfo(dtype).eps
    for got, want in zip(fused_attention(q, k, v, 0.1, mask), exact(q, k, v, 0.1, mask), strict=True):
        torch.testing.assert_close(got.double(), want, atol=bound, rtol=bound)
    assert launches(lambda: fused_attention(q, k, v, 0.1, mask)) < launches(lambda: attend(q, k, v, 0.1, mask))
