"""The beginning of a packed layer is read as it is stored, and a band of keys is two triangles."""

import pytest
import torch

from intpv.attention import compiled, dense
from intpv.attention.dense import causal_attention
from intpv.attention.prefix import prefix_attention
from intpv.attention.segment_prefill import _alike, _band
from intpv.attention.softmax import attend

from .packed_layers import OPTIONS, dense_attention, option, pack, query, video


def same(got, want, atol=1e-4):
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a.double(), b.double(), atol=atol, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [3, 5, 100, 251, 319])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_first_tokens_of_a_layer(name, stop, monkeypatch):
    monkeypatch.setattr(compiled, "_of_its_own", lambda formula, *key: formula)
    layer = pack(option(name), video(35))
    begun = layer.before(stop)
    whole, kept = (torch.cat(next(zip(*one.blocks(), strict=True)), 1) for one in (layer, begun))
    torch.testing.assert_close(kept, whole[:, :stop], atol=1e-5, rtol=0)
    for rows in (1, 24):
        q = query(layer, 2, rows)
        for path in (prefix_attention, compiled.compiled_attention):
            same(path(q, begun, 0.2), dense_attention(q, begun, 0.2))


@pytest.mark.parametrize("begin", [0, 4, 100, 318, 323])
def test_pieces_are_the_rest_of_a_layer(begin):
    layer = pack(option("int4"), video(35))
    found = list(layer.pieces(begin))
    assert [start for start, _ in found][:1] == ([begin] if begin < layer.length else [])
    rest = torch.cat([keys for keys, _ in layer.blocks()], 1)[:, begin:]
    assert torch.equal(torch.cat([rest[:, :0], *(keys for _, (keys, _) in found)], 1), rest)


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 70])
def test_causal_attention(rows, kernel, monkeypatch):
    if not kernel:
        monkeypatch.setattr(dense, "_kernel", lambda *_: None)
        monkeypatch.setattr(dense, "ROWS", 32)
    q, k, v = (torch.randn(3, heads, rows, 16) for heads in (4, 2, 2))
    out, lse = causal_attention(q, k, v, 0.3)
    mask = torch.ones(rows, rows, dtype=torch.bool).tril()
    for index in range(3):
        same((out[index], lse[index]), attend(q[index], k[index], v[index], 0.3, mask))


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2)])
def test_shapes_of_the_kernels_for_gpus(heads, kv_heads, monkeypatch):
    """By torch's own description of each."""
    q, k, v = (torch.empty(2, n, 13, 32, device="meta") for n in (heads, kv_heads, kv_heads))
    for kernel in (dense._flash, dense._efficient):
        monkeypatch.setattr(dense, "_kernel", lambda *_, kernel=kernel: kernel)
        out, lse = causal_attention(q, k, v, 0.3)
        assert (out.shape, out.dtype, lse.shape) == ((2, heads, 13, 32), torch.float32, (2, heads, 13))


@pytest.mark.parametrize("width", [1, 2, 5, 16])
@pytest.mark.parametrize("rows", [1, 4, 16, 37])
def test_a_band_of_keys(rows, width):
    q, k, v = torch.randn(4, rows, 16), *torch.randn(2, 2, rows + width - 1, 16)
    row, key = torch.arange(rows)[:, None], torch.arange(rows + width - 1)
    same(_band(q, k, v, width, 0.3), attend(q, k, v, 0.3, (key >= row) & (key < row + width)))


def test_stretches_of_rows_that_are_alike():
    first = torch.tensor([0, 0, 0, 1, 2, 3, 3, 3, 9])
    stop = torch.tensor([1, 2, 3, 4, 5, 6, 6, 6, 10])
    assert list(_alike(first, stop)) == [
        (0, 3, True, False),
        (3, 6, True, True),
        (6, 8, False, False),
        (8, 9, False, False),
    ]
