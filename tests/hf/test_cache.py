"""The prefix is read from a cache without a copy; the questions' cache knows the questions alone."""

import pytest
import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicSlidingWindowLayer

from intpv.errors import BadInput
from intpv.hf.cache import QuestionCache, layers_of


def _filled(cache, layers=2, tokens=5, batch=1):
    for index in range(layers):
        cache.update(torch.randn(batch, 2, tokens, 8), torch.randn(batch, 2, tokens, 8), index)
    return cache


def test_layers_are_views():
    cache = _filled(DynamicCache())
    layers = layers_of(cache)
    assert [k.shape for k, _ in layers] == [(2, 5, 8)] * 2
    for (keys, values), layer in zip(layers, cache.layers, strict=True):
        assert keys.data_ptr() == layer.keys.data_ptr()
        assert values.data_ptr() == layer.values.data_ptr()


def test_refuses_a_batch():
    with pytest.raises(ValueError, match="a batch of 3 in layer 0"):
        layers_of(_filled(DynamicCache(), batch=3))


def test_refuses_layers_that_forget():
    cache = _filled(Cache(layers=[DynamicSlidingWindowLayer(sliding_window=4)]), layers=1)
    with pytest.raises(BadInput, match="DynamicSlidingWindowLayer in layer 0"):
        layers_of(cache)


def test_question_cache_returns_its_own_keys_in_order():
    cache, seen = QuestionCache(), []
    assert cache.get_seq_length() == 0
    for tokens in (4, 1, 1):
        seen.append(torch.randn(1, 2, tokens, 8))
        keys, _ = cache.update(seen[-1], torch.randn(1, 2, tokens, 8), 0)
        assert torch.equal(keys, torch.cat(seen, 2))
    assert cache.get_seq_length() == 6
    assert cache.get_mask_sizes(1, 0) == (7, 0)
