"""Resonance: whole wavelengths next to transformers' YaRN, and angles far out that training has seen."""

import math

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.resonance import ResonanceScaling

FACTORS = [1.5, 2.0, 4.0, 16.0]


def judge(geometry: RopeGeometry, factor: float) -> tuple[torch.Tensor, float]:
    """2 pi / round(2 pi / theta) of the YaRN that transformers computes, in float64."""
    rope = {"rope_type": "yarn", "rope_theta": geometry.base, "factor": factor}
    config = LlamaConfig(
        hidden_size=geometry.head_dim,
        num_attention_heads=1,
        max_position_embeddings=round(factor * geometry.trained_length),
        rope_parameters={**rope, "original_max_position_embeddings": geometry.trained_length},
    )
    yarn, attention_factor = ROPE_INIT_FUNCTIONS["yarn"](config)
    return 2 * math.pi / (2 * math.pi / yarn.double()).round(), attention_factor


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("trained_length", [80, 2056])
@pytest.mark.parametrize("base", [33.0, 10000.0])
@pytest.mark.parametrize("head_dim", [16, 128])
def test_is_transformers_yarn_at_whole_wavelengths(head_dim, base, trained_length, factor):
    geometry = RopeGeometry(head_dim, base, trained_length)
    expected, attention_factor = judge(geometry, factor)
    ours = ResonanceScaling().inv_freq(geometry, factor).double()
    torch.testing.assert_close(ours, expected, rtol=1e-7, atol=0)
    assert ResonanceScaling().scale(geometry, factor) == pytest.approx(attention_factor, rel=1e-12)


@pytest.mark.parametrize("factor", FACTORS)
def test_far_positions_meet_angles_of_the_first_turn(geometry, factor):
    """The paper's reason for it: at p and at p + wavelength a channel points the same way."""
    table = ResonanceScaling().inv_freq(geometry, factor).double()
    wavelengths = (2 * math.pi / table).round()
    assert wavelengths.min() >= 6
    near = torch.arange(5.0).double()[:, None] * table
    far = (torch.arange(5.0).double()[:, None] + 3 * wavelengths) * table
    torch.testing.assert_close(far.cos(), near.cos(), rtol=0, atol=1e-5)
    torch.testing.assert_close(far.sin(), near.sin(), rtol=0, atol=1e-5)
