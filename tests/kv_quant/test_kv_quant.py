"""Packed prefixes: order, bytes to the byte, refusals, nothing held of the dense cache; every option composes."""

import logging
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.layout import Layout, Span

CONF = Path(__file__).parents[2] / "conf"


def _layers(length, layers=2, kv_heads=2, d=16, dtype=torch.float32):
    return [tuple(torch.randn(2, kv_heads, length, d).to(dtype)) for _ in range(layers)]


def _pack(policy, layers):
    return policy.pack(layers, Layout((Span(layers[0][0].shape[1]),)), None)


def _policy(**changes):
    return KVQuant(**{"bits": 4, "key_group": 8, "value_group": 8, **changes})


def _dense(layer):
    return [torch.cat(pieces, 1) for pieces in zip(*layer.blocks(), strict=True)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_are_the_closed_form(data):
    d = data.draw(st.sampled_from([8, 16, 32, 64]))
    layers, kv_heads = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    sinks, tail = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5))
    length = sinks + tail + data.draw(st.integers(1, 70))
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
    bits, key_group = data.draw(st.sampled_from([2, 4, 8])), data.draw(st.integers(1, 80))
    value_group = data.draw(st.sampled_from([g for g in (1, 2, 4, 8, 16, 32, 64) if d % g == 0]))
    shape = {"layers": layers, "kv_heads": kv_heads, "head_dim": d, "length": length, "element_size": dtype.itemsize}
    for policy in (
        NoQuant(),
        KVQuant(bits=bits, key_group=key_group, value_group=value_group, sinks=sinks, tail=tail),
    ):
        packed = _pack(policy, _layers(length, layers, kv_heads, d, dtype))
        ledger = packed.ledger()
        assert ledger["total"] == policy.closed_form_bytes(**shape)
        assert ledger["padding"] == 0
        assert sum(ledger.values()) == 2 * ledger["total"]
        assert packed.full_precision_bytes == NoQuant().closed_form_bytes(**shape)
        assert packed.bits_per_element == 8 * ledger["total"] / (2 * layers * kv_heads * length * d)


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
    assert packed.quantised_length == length - policy.sinks - policy.tail
    for layer, dense in zip(packed.layers, layers, strict=True):
        assert max(k.shape[1] for k, _ in layer.blocks()) <= 1024
        for restored, original in zip(_dense(layer), dense, strict=True):
            end = length - policy.tail
            assert torch.equal(restored[:, : policy.sinks], original[:, : policy.sinks])
            assert torch.equal(restored[:, end:], original[:, end:])
            error = (restored - original)[:, policy.sinks : end]
            assert 0 < error.abs().max() < original.abs().max() / (2**policy.bits - 1) * 1.01


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
    for wrong, message in (({"bits": 3}, "got 3"), ({"key_group": 0}, "at least 1, got 0"), ({"tail": -1}, "got -1")):
        with pytest.raises(BadInput, match=message):
            _policy(**wrong)
    with pytest.raises(ValueError, match="20, got 21"):
        _policy().pack(_layers(20), Layout((Span(21),)), None)


@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF / "kv_quant").glob("*.yaml")))
def test_every_option_instantiates_and_fits_the_mini_model(option):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        policy = instantiate(compose(f"kv_quant/{option}").kv_quant)
    assert isinstance(policy, NoQuant) if option == "none" else f"int{policy.bits}" == option
    packed = _pack(policy, _layers(95, d=32))
    assert packed.quantised_fraction >= 0.9 or option == "none"
