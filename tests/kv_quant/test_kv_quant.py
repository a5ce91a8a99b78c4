"""Packed prefixes: order, what stays exact, refusals; and nothing held of the dense cache."""

import logging
from dataclasses import replace

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span


def _layers(length, layers=2, kv_heads=2, d=16, dtype=torch.float32):
    return [tuple(torch.randn(2, kv_heads, length, d).to(dtype)) for _ in range(layers)]


def _pack(policy, layers):
    return policy.pack(layers, Layout((Span(layers[0][0].shape[1]),)), None)


def _policy(**changes):
    return KVQuant(**{"bits": 4, "key_group": 8, "value_group": 8, **changes})


def _dense(layer):
    return [torch.cat(pieces, 1) for pieces in zip(*layer.blocks(), strict=True)]


def test_bits_per_element_without_exempt_tokens():
    packed = _pack(_policy(bits=2, key_group=32, value_group=16, sinks=0), _layers(64))
    assert packed.bits_per_element == 2 + (32 / 32 + 32 / 16) / 2
    assert _pack(NoQuant(), _layers(64)).bits_per_element == 32


@pytest.mark.parametrize("length", [20, 1500])  # one piece, two pieces
@pytest.mark.parametrize("changes", [{}, {"sinks": 0}, {"tail": 3}, {"bits": 8, "tail": 1}])
def test_blocks_keep_the_order_and_the_exempt_tokens(length, changes):
    layers, policy = _layers(length), _policy(**changes)
    packed = _pack(policy, layers)
    assert packed.length == length
    assert packed.quantised_fraction == (length - policy.sinks - policy.tail) / length
    for layer, dense in zip(packed.layers, layers, strict=True):
        assert max(k.shape[1] for k, _ in layer.blocks()) <= 1024
        for restored, original in zip(_dense(layer), dense, strict=True):
            end = length - policy.tail
            assert torch.equal(restored[:, : policy.sinks], original[:, : policy.sinks])
            assert torch.equal(restored[:, end:], original[:, end:])
            error = (restored - original)[:, policy.sinks : end]
            assert 0 < error.abs().max() < original.abs().max() / (2**policy.bits - 1) * 1.01


@pytest.mark.parametrize("changes", [{}, {"pre_rope": True}])
def test_skipped_layers_stay_as_they_are_and_the_others_are_packed_as_ever(changes):
    layers, policy = _layers(40, layers=3), _policy(skip_layers=[2, 0], **changes)
    layout, angles = Layout((Span(40),)), torch.arange(40)[:, None] * torch.rand(8)
    packed, all_packed = (one.pack(layers, layout, angles) for one in (policy, replace(policy, skip_layers=[])))
    for index in (0, 2):
        for restored, original in zip(_dense(packed.layers[index]), layers[index], strict=True):
            assert torch.equal(restored, original)
            assert restored.untyped_storage().data_ptr() != original.untyped_storage().data_ptr()
    assert all(map(torch.equal, _dense(packed.layers[1]), _dense(all_packed.layers[1])))
    assert packed.quantised_fraction == all_packed.quantised_fraction / 3
    assert policy == replace(policy, skip_layers=[0, 2, 2])


@pytest.mark.parametrize(
    ("skipped", "said"),
    [([2], "kv_quant.skip_layers must be of the model's layers 0 to 1, got 2"), ([0, 1], "int4 would quantise none")],
)
def test_layers_that_are_not_there_or_all_of_them_cannot_be_skipped(skipped, said):
    with pytest.raises(BadInput, match=said):
        _pack(_policy(skip_layers=skipped), _layers(40))
    with pytest.raises(BadInput, match=said):
        _policy(skip_layers=skipped).closed_form_bytes(layers=2, kv_heads=2, head_dim=16, length=40, element_size=4)


def test_that_most_layers_are_skipped_is_logged_once(caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            _pack(_policy(skip_layers=[0, 1, 2, 3]), _layers(20, layers=7))
    assert caplog.text.count("int4 quantises only 3 of 7 layers (kv_quant.skip_layers)") == 1


def test_fewer_bits_more_error_less_memory():
    layers = _layers(100)
    packed = [_pack(_policy(bits=bits), layers) for bits in (8, 4, 2)]
    error = [(_dense(p.layers[0])[0] - layers[0][0]).norm() for p in packed]
    size = [p.ledger()["total"] for p in packed]
    assert error == sorted(error)
    assert size == sorted(size, reverse=True)


def test_reading_changes_nothing():
    packed = _pack(_policy(bits=2), _layers(50))
    before = [t.clone() for run in packed.layers[0].runs for ts in run.parts().values() for t in ts]
    first = _dense(packed.layers[0])
    for _ in range(3):
        assert all(torch.equal(a, b) for a, b in zip(first, _dense(packed.layers[0]), strict=True))
    after = [t for run in packed.layers[0].runs for ts in run.parts().values() for t in ts]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_dense_cache_can_be_freed():
    layers = _layers(50, kv_heads=1)
    dense = {t.untyped_storage().data_ptr() for pair in layers for t in pair}
    packed = _pack(_policy(bits=8, tail=2), layers)
    mine = {
        t.untyped_storage().data_ptr() for p in packed.layers for r in p.runs for ts in r.parts().values() for t in ts
    }
    assert not dense & mine


def test_none_keeps_the_tensors_themselves():
    layers = _layers(2000)
    packed = _pack(NoQuant(), layers)
    assert packed.quantised_fraction == 0
    for layer, (keys, values) in zip(packed.layers, layers, strict=True):
        pieces = list(layer.blocks())
        assert pieces[0][0].data_ptr() == keys.data_ptr()
        assert pieces[0][1].data_ptr() == values.data_ptr()
        assert {k.untyped_storage().data_ptr() for k, _ in pieces} == {keys.untyped_storage().data_ptr()}


def test_a_prefix_that_escapes_quantisation_is_refused():
    with pytest.raises(
        BadInput, match=r"int2 would quantise 0 of 20 prefix tokens \(kv_quant.sinks=4, kv_quant.tail=16\)"
    ):
        _pack(_policy(bits=2, tail=16), _layers(20))


def test_a_small_share_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        assert _pack(_policy(tail=6), _layers(20)).quantised_fraction == 0.5
        assert not caplog.records
        assert _pack(_policy(tail=7), _layers(20)).quantised_fraction == 0.45
    assert "9 of 20 prefix tokens" in caplog.text


def test_refusals_name_both_values():
    with pytest.raises(BadInput, match="value_group must divide the head dim 16, got 12"):
        _pack(_policy(value_group=12), _layers(20))
    with pytest.raises(BadInput, match="2-bit codes fill bytes only if 4 divides the head dim, got head dim 6"):
        _pack(_policy(bits=2, value_group=6), _layers(20, d=6))
    with pytest.raises(BadInput, match="key_group must be null when key_granularity is tensor, got 8"):
        _pack(_policy(key_granularity="tensor"), _layers(20))
    with pytest.raises(BadInput, match="a power of two, got 24"):
        _pack(_policy(value_hadamard=True), _layers(20, d=24))
    ragged = Layout((Span(4, 0.0), Span(6, 1.0), Span(10, 2.0)))
    with pytest.raises(BadInput, match="frames of one length, got one of 4 and one of 10 tokens"):
        _policy(value_granularity="temporal").pack(_layers(20), ragged, None)
    with pytest.raises(ValueError, match="20, got 21"):
        _policy().pack(_layers(20), Layout((Span(21),)), None)
    with pytest.raises(BadInput, match=r"angles \(S, d/2\) = \(20, 8\), got \(20, 16\)"):
        _policy(pre_rope=True).pack(_layers(20), Layout((Span(20),)), torch.zeros(20, 16))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("side", "name"), [(0, "keys"), (1, "values")])
@pytest.mark.parametrize("token", [0, 10])  # a sink would keep it
def test_what_is_not_finite_is_refused(value, side, name, token):
    layers = _layers(20)
    layers[1][side][1, token, 3] = value
    with pytest.raises(BadInput, match=f"{name} must be finite to be quantised, got {value} in layer 1"):
        _pack(_policy(), layers)


def test_one_side_can_stay_in_full_precision():
    layers = _layers(50)
    packed = _pack(_policy(bits=16, value_bits=2), layers)
    keys, values = _dense(packed.layers[0])
    assert torch.equal(keys, layers[0][0])
    assert not torch.equal(values, layers[0][1])
    assert packed.quantised_fraction == 46 / 50 / 2
    assert packed.ledger()["exempt"] == 4 * (packed.elements - 2 * 2 * 46 * 16)
