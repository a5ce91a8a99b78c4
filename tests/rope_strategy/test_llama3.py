"""Llama 3.1's scaling against transformers, and what a channel's turns decide."""

import math

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.llama3 import Llama3Scaling

FACTORS = [1.5, 2.0, 8.0, 16.0]


def judge(geometry: RopeGeometry, factor: float, low: float = 1.0, high: float = 4.0) -> tuple[torch.Tensor, float]:
    rope = {"rope_type": "llama3", "rope_theta": geometry.base, "factor": factor}
    turns = {"low_freq_factor": low, "high_freq_factor": high}
    config = LlamaConfig(
        hidden_size=geometry.head_dim,
        num_attention_heads=1,
        max_position_embeddings=round(factor * geometry.trained_length),
        rope_parameters={**rope, **turns, "original_max_position_embeddings": geometry.trained_length},
    )
    return ROPE_INIT_FUNCTIONS["llama3"](config)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("trained_length", [80, 2056, 8192])
@pytest.mark.parametrize("base", [33.0, 10000.0, 500000.0])
@pytest.mark.parametrize("head_dim", [16, 32, 128])
def test_equals_transformers(head_dim, base, trained_length, factor):
    geometry = RopeGeometry(head_dim, base, trained_length)
    expected, attention_factor = judge(geometry, factor)
    torch.testing.assert_close(Llama3Scaling().inv_freq(geometry, factor), expected, rtol=1e-6, atol=0)
    assert Llama3Scaling().scale(geometry, factor) == attention_factor


@pytest.mark.parametrize(("low", "high"), [(0.5, 2), (1, 1.5), (3, 40)])
def test_equals_transformers_for_other_turns(geometry, low, high):
    ours = Llama3Scaling(low_freq_factor=low, high_freq_factor=high).inv_freq(geometry, 4.0)
    torch.testing.assert_close(ours, judge(geometry, 4.0, low, high)[0], rtol=1e-6, atol=0)


def test_turns_are_those_of_the_trained_length():
    geometry = RopeGeometry(128, 500000.0, 8192)
    trained = baseline_inv_freq(geometry)
    turns, stretch = trained * 8192 / (2 * math.pi), trained / Llama3Scaling().inv_freq(geometry, 8.0)
    assert (stretch[turns > 4] == 1).all()
    torch.testing.assert_close(stretch[turns < 1], torch.full_like(stretch[turns < 1], 8.0), rtol=1e-6, atol=0)
    assert ((stretch > 1) & (stretch < 7.9)).any()


@pytest.mark.parametrize(("low", "high"), [(4, 1), (1, 1), (0, 4), (1, float("inf"))])
def test_refuses(low, high):
    line = f"high_freq_factor must be above low_freq_factor, and both above 0, got {high} and {low}"
    with pytest.raises(BadInput, match=f"rope_strategy.{line}"):
        Llama3Scaling(low_freq_factor=low, high_freq_factor=high)
