"""Weightless: shapes without memory, buffers as ever, and nothing left changed."""

import pytest
import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from intpv.encoder.video_llava import unloaded
from intpv.encoder.video_llava_hf import unloaded as unloaded_hf
from intpv.encoder.weightless import weightless

SIZES = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 16,
    "patch_size": 8,
}  # those of the fixtures
MORE = {"hidden_act": "gelu", "select_layer": -1, "llm_width": 32}


@pytest.mark.parametrize(("build", "like"), [(unloaded, "languagebind"), (unloaded_hf, "per_frame")])
def test_it_is_the_same_encoder_but_for_its_weights(build, like, request, groups):
    ready, empty = request.getfixturevalue(like), build(**SIZES, **MORE)
    assert all(weight.is_meta for weight in empty.parameters())
    assert empty.description == ready.description
    empty.load_state_dict(ready.state_dict(), strict=True, assign=True)
    with torch.inference_mode():
        assert torch.equal(empty.eval()(groups), ready(groups))


def test_buffers_are_computed():
    with weightless():
        clip = CLIPVisionModel(CLIPVisionConfig(**SIZES))
    assert torch.equal(clip.embeddings.position_ids, torch.arange(5)[None])


def test_afterwards_parameters_are_real_again():
    with pytest.raises(ZeroDivisionError), weightless():
        raise ZeroDivisionError
    assert not nn.Linear(2, 2).weight.is_meta
