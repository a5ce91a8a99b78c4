"""Layers of a model that reads text: what is held unchanged loses nothing, and every token behind the prefix asks."""

import pytest
import torch

from experiments.bench.kv import text_layers
from experiments.bench.kv.allowance import Allowances
from experiments.bench.kv.fidelity import loss, on_clips
from experiments.bench.kv.methods import Ours
from intpv.flipbook.vocabulary import tokenizer

from ....tiny import tiny_llama


@pytest.fixture
def read(monkeypatch):
    """Two stretches of random words."""
    words = tokenizer()
    llm = tiny_llama(vocab_size=len(words), hidden_size=64, num_hidden_layers=3, num_key_value_heads=1)
    drawn = torch.randint(4, len(words), (2, 80), generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(text_layers, "stretches", lambda *_, held_out, length: drawn[:, :length])
    with torch.inference_mode():
        return list(text_layers.text_read(llm, words, tokens=64, rows=16, count=2))


def test_every_layer_and_every_token_behind_the_prefix_is_there(read):
    for specimen in read:
        assert [tuple(keys.shape) for keys, _ in specimen.layers] == [(1, 64, 32)] * 3
        assert [tuple(one.q.shape) for one in specimen.asked] == [(2, 16, 32)] * 3
        assert loss(specimen, specimen.layers).kl.abs().max() < 1e-5


def test_policies_are_compared_on_it(read):
    found = on_clips(read, {name: Ours(name) for name in ("none", "int8", "int2")}, Allowances(1))
    kl = {name: row["kl"]["mean"] for name, row in found["methods"].items()}
    assert kl["none"] < 1e-6 < kl["int8"] < kl["int2"]
    assert found["tokens"] == [64, 64]
    assert "answer_kl" not in found["methods"]["int2"]
