"""Launches of a decoder layer's step beside a packed prefix: on a GPU each costs 5 us of a CPU's time, however small.

Counted on a CPU at 64 frames of 257 tokens, with the Triton kernel's launch (two kernels) stubbed.
"""

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from intpv.attention import prefix, triton
from intpv.hf.attention import attending_to, placed, use
from intpv.hf.cache import QuestionCache, handed
from intpv.layout import Layout, Span

from ..launches import launches
from .packed_layers import option

HEADS, D, FRAMES, PATCHES, ROWS = 2, 128, 64, 257, 24
MOST = {"none": 75, "int8": 82, "int4": 82, "int2": 82, "best2": 75, "rotate": 85, "temporal": 82}


@pytest.fixture(scope="module")
def decoder():
    sizes = {"hidden_size": HEADS * D, "num_attention_heads": HEADS, "intermediate_size": 64, "vocab_size": 100}
    config = LlamaConfig(**sizes, num_hidden_layers=1, attn_implementation="sdpa")
    return LlamaModel(config).to(torch.bfloat16).eval().requires_grad_(False)


def step(decoder, past, start):
    """One more token for each of ROWS questions."""
    places = torch.full((ROWS,), start)
    keys = past.get_seq_length() + ROWS
    with placed(places, torch.full((keys,), start)):
        decoder(
            input_ids=torch.zeros(1, ROWS, dtype=torch.long),
            position_ids=places[None],
            attention_mask=torch.ones(1, 1, ROWS, keys, dtype=torch.bool),
            **handed(decoder, past),
        )


@pytest.fixture(scope="module")
def transformers_own(decoder):
    with torch.no_grad():
        return launches(lambda: step(decoder, QuestionCache(), 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST)
@torch.no_grad()
def test_of_a_layer_and_step(decoder, name, transformers_own, monkeypatch):
    layout = Layout((Span(36), *(Span(PATCHES, float(frame)) for frame in range(FRAMES))))
    keys, values = torch.randn(2, HEADS, layout.length, D, dtype=torch.bfloat16)
    angles = torch.arange(layout.length)[:, None] * 1e4 ** (-torch.arange(D // 2) / (D // 2))
    packed = option(name).pack([(keys, values)], layout, angles)
    monkeypatch.setattr(prefix, "WORTH", 0)
    monkeypatch.setattr(prefix, "_no_triton", lambda layer, device: triton.unsupported(layer))
    monkeypatch.setattr(
        triton, "launch", lambda q, *_, **__: (torch.empty_like(q, dtype=torch.float32), torch.empty(q.shape[:2]))
    )
    with use(decoder), attending_to(packed):
        step(decoder, QuestionCache(), layout.length)  # what is made once per context
        found = launches(lambda: step(decoder, QuestionCache(), layout.length)) + 2 * (name != "none")
    assert found <= MOST[name], f"{found} launches, transformers' own attention takes {transformers_own}"
    assert found > transformers_own
