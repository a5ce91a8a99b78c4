"""Whoever holds all of a prefix attends to it alike, and quanto is used as transformers uses it."""

import pytest
import torch
from transformers import QuantizedCache

from experiments.bench.kv.fidelity import bytes_held, loss
from experiments.bench.kv.intpv_methods import Ours
from experiments.bench.kv.layer_speed import Shape
from experiments.bench.kv.methods import FULL, QUANTO


def test_every_method_that_holds_all_attends_alike(small):
    q, k, v = Shape(heads=2, head_dim=32).token()
    keys, values = (torch.cat([x[None], new], 2) for x, new in zip(small.layers[0], (k, v), strict=True))
    expected = torch.nn.functional.scaled_dot_product_attention(q, keys, values)
    whole = Ours("int8", (("bits", 16),))
    for method in (*FULL.values(), whole):
        held = method.hold(small, 2)
        torch.testing.assert_close(held.step(0, q, k, v), expected, rtol=1e-4, atol=1e-5)
        again = torch.nn.functional.scaled_dot_product_attention(q, torch.cat([keys, k], 2), torch.cat([values, v], 2))
        torch.testing.assert_close(held.step(0, q, k, v), again, rtol=1e-4, atol=1e-5)


def test_a_cache_in_full_precision_hands_back_the_prefix(small):
    for method in FULL.values():
        for exact, seen in zip(small.layers, method.hold(small, 1).dense(), strict=True):
            assert all(map(torch.equal, exact, seen))


@pytest.mark.parametrize("name", QUANTO)
def test_quanto_is_held_as_transformers_holds_it(name, small):
    pytest.importorskip("optimum.quanto", reason="optimum-quanto is not installed")
    held = QUANTO[name].hold(small, 1)
    assert isinstance(held.held, QuantizedCache)
    layer = held.held.layers[0]
    codes = layer._quantized_keys.numel() * 2 * layer.nbits // 8
    scales = 2 * 2 * layer._quantized_keys.numel() // 64 * 4  # scale and shift, keys and values, float32
    assert bytes_held(held.held) == codes + scales
    assert 0 < loss(small, held.dense()).relative()["key"] < 1
