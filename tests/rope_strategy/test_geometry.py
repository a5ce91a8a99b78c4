"""RopeGeometry refuses impossible numbers; the baseline table is transformers' own."""

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((31, 100.0, 80), "head_dim must be even and at least 4, got 31"),
        ((2, 100.0, 80), "head_dim must be even and at least 4, got 2"),
        ((32, 1.0, 80), "the RoPE base must be above 1, got 1.0"),
        ((32, 100.0, 0), "trained_length must be at least 1 token, got 0"),
    ],
)
def test_refuses_what_no_model_has(numbers, message):
    with pytest.raises(BadInput, match=message):
        RopeGeometry(*numbers)


def test_baseline_is_transformers_bit_for_bit(geometry):
    config = LlamaConfig(
        head_dim=geometry.head_dim,
        hidden_size=geometry.head_dim,
        num_attention_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": geometry.base},
    )
    assert torch.equal(baseline_inv_freq(geometry), LlamaRotaryEmbedding(config).inv_freq)
