"""Attention in pieces equals attention in one piece, judged by torch's own; nothing is ever NaN."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from intpv.attention.prefix import attend, merge, prefix_attention


class Pieces:
    """A prefix layer cut into given lengths."""

    def __init__(self, k, v, lengths):
        self.k, self.v, self.lengths = k, v, lengths

    def blocks(self):
        yield from zip(self.k.split(self.lengths, 1), self.v.split(self.lengths, 1), strict=True)


def _qkv(heads=4, kv_heads=2, rows=5, tokens=60, d=16, spread=1.0):
    return spread * torch.randn(heads, rows, d), torch.randn(kv_heads, tokens, d), torch.randn(kv_heads, tokens, d)


def _dense(q, k, v, scaling, mask=None):
    """float64 reference: out and lse."""
    k, v = (x.double().repeat_interleave(len(q) // len(x), 0) for x in (k, v))
    scores = q.double() @ k.mT * scaling
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


@pytest.mark.parametrize("lengths", [[60], [4, 56], [4, 30, 20, 6], [1] * 60])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("spread", [0.1, 30.0])
def test_pieces_equal_the_whole(lengths, heads, kv_heads, spread):
    q, k, v = _qkv(heads, kv_heads, spread=spread)
    out, lse = prefix_attention(q, Pieces(k, v, lengths), 0.25)
    want_out, want_lse = _dense(q, k, v, 0.25)
    torch.testing.assert_close(out.double(), want_out, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(lse.double(), want_lse, atol=1e-5, rtol=1e-5)


def test_torch_agrees():
    q, k, v = _qkv()
    out, _ = prefix_attention(q, Pieces(k, v, [20, 40]), 0.25)
    judge = scaled_dot_product_attention(q[None], k[None], v[None], scale=0.25, enable_gqa=True)[0]
    torch.testing.assert_close(out, judge, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_accumulates_in_float32(dtype):
    q, k, v = (x.to(dtype) for x in _qkv())
    out, lse = prefix_attention(q, Pieces(k, v, [30, 30]), 0.25)
    assert out.dtype == lse.dtype == torch.float32
    torch.testing.assert_close(out.double(), _dense(q, k, v, 0.25)[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bool", "additive"])
def test_masked_rows(kind):
    q, k, v = _qkv(rows=4, tokens=6)
    seen = torch.tensor([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]]).bool()
    mask = seen if kind == "bool" else torch.zeros(4, 6).masked_fill(~seen, -torch.inf)
    out, lse = attend(q, k, v, 0.25, mask)
    want_out, want_lse = _dense(q, k, v, 0.25, seen)
    torch.testing.assert_close(out[:, :3].double(), want_out[:, :3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(lse[:, :3].double(), want_lse[:, :3], atol=1e-5, rtol=1e-5)
    assert not out[:, 3].any()
    assert (lse[:, 3] == -torch.inf).all()


def test_merge_with_rows_that_see_nothing():
    q, k, v = _qkv(rows=3, tokens=6)
    some = attend(q, k, v, 0.25)
    nothing = attend(q, k, v, 0.25, torch.zeros(3, 6, dtype=torch.bool))
    for merged in (merge(*some, *nothing), merge(*nothing, *some)):
        assert torch.equal(merged[0], some[0])
        assert torch.equal(merged[1], some[1])
    out, lse = merge(*nothing, *nothing)
    assert not out.any()
    assert (lse == -torch.inf).all()


def test_merge_is_symmetric():
    q, k, v = _qkv()
    a, b = attend(q, k[:, :10], v[:, :10], 0.25), attend(q, k[:, 10:], v[:, 10:], 0.25)
    for x, y in zip(merge(*a, *b), merge(*b, *a), strict=True):
        torch.testing.assert_close(x, y, atol=1e-6, rtol=1e-6)
