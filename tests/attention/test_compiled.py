"""The compiled path equals eager and a dense softmax for every option, and compiles per format, not per length."""

import itertools
import unittest.mock
from functools import partial

import pytest
import torch

from intpv.attention import compiled
from intpv.attention.compiled import compiled_attention
from intpv.attention.prefix import eager_attention
from intpv.kv_quant.kv_quant import KVQuant

from ..live_memory import LiveMemory
from .packed_layers import GRANULARITIES, OPTIONS, dense_attention, option, pack, query, video

ROWS = (1, 5, 24, 300)
OTHERS = [
    {"bits": 8, "value_bits": 16, "pre_rope": True},
    {"bits": 16, "value_bits": 2},
    {"bits": 8, "pre_rope": True, "key_hadamard": True, "value_hadamard": True},
    {"bits": 2, "key_granularity": "token", "key_group": 32, "key_hadamard": True, "value_group": None},
    {"bits": 2, "key_group": None, "value_granularity": "channel", "value_group": 24},
    {"bits": 4, "key_granularity": "temporal", "key_group": None, "value_granularity": "temporal", "value_group": 1},
    {"bits": 4, "key_granularity": "temporal", "key_group": None, "pre_rope": True},
    {"bits": 4, "key_granularity": "token", "pre_rope": True, "value_granularity": "token", "value_group": 32},
]


@pytest.fixture
def by_hand(monkeypatch):
    """The formulas themselves, which give what their compiled loops give, without seconds of compilation."""
    monkeypatch.setattr(compiled, "_of_its_own", lambda formula, *key: formula)


def _agree(layer, share, rows, dtype=torch.float32):
    q = query(layer, share, rows).to(dtype)
    got = compiled_attention(q, layer, 0.2)
    for want in (eager_attention(q, layer, 0.2), dense_attention(q, layer, 0.2)):
        for a, b in zip(got, want, strict=True):
            assert a.dtype == torch.float32
            torch.testing.assert_close(a.double(), b.double(), atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("name", OPTIONS)
def test_the_formulas_of_every_option(name):
    layer = pack(option(name), video(35))  # ragged by tokens and by frames
    for share, rows in ((1, 1), (3, 1), (2, 5), (1, 24), (2, 300)):
        _agree(layer, share, rows)
        _agree(layer, share, rows, torch.bfloat16)


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("granularities", list(itertools.product(GRANULARITIES, repeat=2)), ids="-".join)
def test_the_formulas_of_all_granularities(granularities):
    k, v = granularities
    groups = {"tensor": None, "channel": 24, "token": 8, "temporal": 4}
    fields = {"key_granularity": k, "value_granularity": v, "key_group": groups[k], "value_group": groups[v]}
    for more in ({"bits": 2}, {"bits": 8, "pre_rope": True}, {"bits": 4, "pre_rope": True, "key_hadamard": True}):
        layer = pack(KVQuant(**fields, **more), video(11))
        for share, rows in ((2, 2), (2, 3)):
            _agree(layer, share, rows)


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("changes", OTHERS)
def test_the_formulas_of_mixed_sides(changes):
    layer = pack(KVQuant(**{"key_group": 8, "value_group": 8, **changes}), video(11))
    for share, rows in ((1, 1), (2, 2), (2, 3)):
        _agree(layer, share, rows)


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("name", ["int4", "best2", "temporal"])
def test_a_prefix_in_more_than_one_piece(name, monkeypatch):
    monkeypatch.setattr(compiled, "PIECE", 50)
    layer = pack(option(name), video(35))
    _agree(layer, 2, 24)
    _agree(layer, 2, 1)


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("changes", OTHERS)
def test_mixed_sides_in_more_than_one_piece(changes, monkeypatch):
    """A piece may be shorter than the number of frames before it, and one side of it dense."""
    monkeypatch.setattr(compiled, "PIECE", 30)
    layer = pack(KVQuant(**{"key_group": 8, "value_group": 8, **changes}), video(11))
    for share, rows in ((1, 1), (2, 1), (2, 3)):
        _agree(layer, share, rows)


@pytest.mark.slow
def test_compiled_once_for_all_lengths():
    """Few rows of one format: two loops, one for keys and one for values."""
    compiled._of_its_own.cache_clear()
    torch._dynamo.utils.counters.clear()
    for frames in (9, 20, 13):
        _agree(pack(option("int4"), video(frames)), 1, 1)
    assert compiled._of_its_own.cache_info().currsize == 2
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2


@pytest.mark.slow
def test_a_loop_keeps_its_own_sizes_whatever_was_compiled_before():
    """torch makes a size a variable where two calls under one name differ in it: seen in what is compiled."""
    compiled._of_its_own.cache_clear()
    torch._dynamo.reset()

    def graphs(name: str) -> list[list[str]]:
        seen = []
        with unittest.mock.patch.object(compiled.torch, "compile", partial(torch.compile, backend=noting(seen))):
            _agree(pack(option(name), video(35)), 1, 1)
        return seen

    def noting(seen: list):
        def backend(graph, inputs):
            sizes = [node.meta["example_value"] for node in graph.graph.nodes if node.op == "placeholder"]
            seen.append([str(tuple(x.shape)) for x in sizes if isinstance(x, torch.Tensor)])
            return graph.forward

        return backend

    alone = graphs("rotate")
    compiled._of_its_own.cache_clear()
    torch._dynamo.reset()
    for before in ("int4", "best2"):
        graphs(before)
    assert graphs("rotate") == alone


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_compiled_equals_eager(name):
    for frames in (35, 40):
        layer = pack(option(name), video(frames))
        for rows in ROWS:
            _agree(layer, 2, rows)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 24])
@pytest.mark.parametrize("name", ["int4", "best2", "rotate", "temporal"])
def test_peak_is_one_dense_block_and_the_scores(name, rows):
    heads, d, layout = 4, 32, video(900)
    layer, q = pack(option(name), layout, kv_heads=heads), torch.randn(heads, rows, d)
    compiled_attention(q, layer, 0.2)
    with LiveMemory() as memory:
        compiled_attention(q, layer, 0.2)
    block, scores = 4 * heads * compiled.PIECE * d, 4 * heads * rows * layout.length
    dense = 2 * 4 * heads * d * layout.length
    assert 0 < memory.peak <= block + scores < dense
