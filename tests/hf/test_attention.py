"""Without a prefix "intpv" is transformers' sdpa to the bit, padding included; all is put back on the way out."""

import pytest
import torch

from intpv.hf.attention import attending_to, use
from intpv.hf.cache import QuestionCache, layers_of
from intpv.kv_quant.kv_quant import NoQuant
from intpv.layout import Layout, Span

from ..tiny import tiny_llama


@pytest.fixture(scope="module")
def model():
    return tiny_llama(hidden_size=64, num_attention_heads=4, num_key_value_heads=2).model


@pytest.fixture(scope="module")
def packed(model):
    with torch.no_grad():
        cache = model(torch.randint(0, 50, (1, 12)), use_cache=True).past_key_values
    return NoQuant().pack(layers_of(cache), Layout((Span(12),)), None)


@torch.no_grad()
@pytest.mark.parametrize(
    "padding", [None, [[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]], [[1] * 5 + [0] * 2, [1] * 7]]
)
def test_without_a_prefix_it_is_sdpa(model, padding):
    ids = torch.randint(0, 50, (2, 7))
    mask = None if padding is None else torch.tensor(padding)
    want = model(ids, attention_mask=mask).last_hidden_state
    with use(model):
        assert torch.equal(model(ids, attention_mask=mask).last_hidden_state, want)


@torch.no_grad()
def test_decoding_with_a_cache_and_no_prefix_is_sdpa(model):
    ids = torch.randint(0, 50, (1, 7))
    want = model(ids[:, 6:], past_key_values=model(ids[:, :6], use_cache=True).past_key_values).last_hidden_state
    with use(model):
        got = model(ids[:, 6:], past_key_values=model(ids[:, :6], use_cache=True).past_key_values).last_hidden_state
    assert torch.equal(got, want)


def _fail_inside(context):
    with context:
        raise RuntimeError("stop")


def test_the_implementation_is_restored(model):
    before = model.config._attn_implementation
    with use(model):
        assert model.config._attn_implementation == "intpv"
    assert model.config._attn_implementation == before
    with pytest.raises(RuntimeError, match="stop"):
        _fail_inside(use(model))
    assert model.config._attn_implementation == before


@torch.no_grad()
def test_the_prefix_is_forgotten_on_the_way_out(model, packed):
    ids = torch.randint(0, 50, (1, 3))
    with use(model):
        alone = model(ids).last_hidden_state
        with attending_to(packed):
            assert not torch.allclose(model(ids).last_hidden_state, alone)
        assert torch.equal(model(ids).last_hidden_state, alone)
        with pytest.raises(RuntimeError, match="stop"):
            _fail_inside(attending_to(packed))
        assert torch.equal(model(ids).last_hidden_state, alone)


@torch.no_grad()
def test_refuses_a_batch_beside_a_prefix(model, packed):
    with use(model), attending_to(packed), pytest.raises(ValueError, match="got a batch of 2"):
        model(torch.randint(0, 50, (2, 3)), past_key_values=QuestionCache())
