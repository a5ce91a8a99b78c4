"""Bounded cost: without bounds it is as it is, and within them as torch counts what is really read."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DynamicCache

from intpv.cost import closed_form
from intpv.cost.bounded import Bounds
from intpv.cost.table import BITS, as_it_is
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import NoQuant

from .test_closed_form import SMALL, llama

OPTIONS = dict.fromkeys(BITS, NoQuant())
FRAMES = 16


def test_without_bounds_it_is_as_it_is():
    ours, whole = Bounds().row(SMALL, FRAMES, OPTIONS), as_it_is(SMALL, FRAMES, OPTIONS)
    assert {key: whole[key] for key in ours if key in whole} == {key: ours[key] for key in ours if key in whole}
    assert (ours["kept"], ours["prefix_bytes"]) == (ours["tokens"], whole["kv"]["FP16"] // SMALL.layers)


@pytest.mark.parametrize(("kept", "early"), [(None, False), (20, True), (64, True), (20, False)])
def test_prefill_in_passes_is_what_torch_counts(kept, early):
    """A kernel computes the whole square of a pass and masks it: that much is taken off."""
    model, tokens, step = llama(SMALL, attn_implementation="eager"), 100, 24
    bounds = Bounds(kv_tokens=kept, early=early, prefill_tokens=step)
    cache, masked = DynamicCache(), 0
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        for start in range(0, tokens, step):
            new = min(step, tokens - start)
            seen = cache.get_seq_length() + new
            model.model(
                inputs_embeds=torch.zeros(1, new, SMALL.hidden),
                attention_mask=torch.ones(1, seen, dtype=torch.long),
                past_key_values=cache,
            )
            masked += new * (new - 1) // 2
            if early:
                for layer in cache.layers:
                    layer.keys, layer.values = layer.keys[:, :, -kept:], layer.values[:, :, -kept:]
    head = 2 * SMALL.vocabulary * SMALL.hidden
    ours = bounds.prefill_flops(SMALL, tokens) - head
    assert counter.get_total_flops() == ours + 4 * SMALL.layers * SMALL.heads * SMALL.head_dim * masked


def test_with_an_early_cut_memory_does_not_grow_with_the_video():
    bounds = Bounds(keep=0.5, kv_tokens=34, early=True, tower_frames=8, prefill_tokens=16)
    short, long = (bounds.row(SMALL, frames, OPTIONS) for frames in (64, 2048))
    for part in ("kept", "tower_bytes", "prefix_bytes", "kv"):
        assert short[part] == long[part]
    assert long["prefix_bytes"] == closed_form.kv_bytes(SMALL, 34 + 16, 16)
    assert long["tokens"] == 32 * short["tokens"]


def test_bytes_are_those_of_layers_with_tokens_of_their_own():
    told = []
    stored = SimpleNamespace(closed_form_bytes=lambda **given: told.append((given["length"], given["evicted"])) or 0)
    for kept in (34, None):
        Bounds(kv_tokens=kept).row(SMALL, FRAMES, {"FP16": stored})
    assert told == [(34, True), (FRAMES * SMALL.tokens_per_frame, False)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keep": 0}, "keep must be above 0 and at most 1, a share of the video's tokens, got 0"),
        ({"kv_tokens": 0}, "kv_tokens must be a whole number of at least 1 or null, got 0"),
        ({"early": True}, "early=true cuts after every pass of a prefill, got prefill_tokens=null"),
        ({"tower_frames": 6}, "tower_frames must be a multiple of 4, a group, got 6"),
    ],
)
def test_what_cannot_be_is_refused_with_both_values(given, said):
    with pytest.raises(BadInput, match=said):
        Bounds(**given).row(SMALL, FRAMES, OPTIONS)
