"""YaRN against transformers, between no scaling and linear scaling, and its temperature."""

import math
from itertools import pairwise

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.yarn import YarnScaling

FACTORS = [1.5, 2.0, 4.0, 7.3, 16.0]


def judge(geometry, factor, **options):
    """inv_freq and attention factor as transformers computes them."""
    rope = {"rope_type": "yarn", "rope_theta": geometry.base, "factor": factor, **options}
    config = LlamaConfig(
        hidden_size=geometry.head_dim,
        num_attention_heads=1,
        max_position_embeddings=round(factor * geometry.trained_length),
        rope_parameters={**rope, "original_max_position_embeddings": geometry.trained_length},
    )
    return ROPE_INIT_FUNCTIONS["yarn"](config)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("trained_length", [80, 2056, 4096, 32768])
@pytest.mark.parametrize("base", [33.0, 10000.0, 1e6])
@pytest.mark.parametrize("head_dim", [16, 32, 64, 128])
def test_equals_transformers(head_dim, base, trained_length, factor):
    geometry = RopeGeometry(head_dim, base, trained_length)
    expected, attention_factor = judge(geometry, factor)
    torch.testing.assert_close(YarnScaling().inv_freq(geometry, factor), expected, rtol=1e-6, atol=0)
    assert YarnScaling().attention_scale(factor) == pytest.approx(attention_factor, rel=1e-12)


@pytest.mark.parametrize(("beta_fast", "beta_slow"), [(16, 2), (4, 0.5), (1.2, 1.1)])
def test_equals_transformers_for_other_betas(geometry, beta_fast, beta_slow):
    expected, _ = judge(geometry, 4.0, beta_fast=beta_fast, beta_slow=beta_slow)
    yarn = YarnScaling(beta_fast=beta_fast, beta_slow=beta_slow)
    torch.testing.assert_close(yarn.inv_freq(geometry, 4.0), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("factor", FACTORS)
def test_lies_between_linear_and_none(geometry, factor):
    inv_freq = YarnScaling().inv_freq(geometry, factor)
    assert (inv_freq <= baseline_inv_freq(geometry)).all()
    assert (inv_freq >= LinearScaling().inv_freq(geometry, factor) * (1 - 1e-6)).all()


@pytest.mark.parametrize("factor", FACTORS)
def test_fast_channels_are_kept_slow_ones_interpolated(factor):
    vicuna = RopeGeometry(128, 10000.0, 4096)
    baseline = baseline_inv_freq(vicuna)
    turns, stretch = baseline * 4096 / (2 * math.pi), baseline / YarnScaling().inv_freq(vicuna, factor)
    # the ramp ends on whole channels, so one channel on either side of a bound belongs to the ramp
    per_channel = baseline[0] / baseline[1]
    assert (stretch[turns > 32 * per_channel] == 1).all()
    torch.testing.assert_close(stretch[turns < 1 / per_channel], torch.full((17,), factor), rtol=1e-6, atol=0)
    assert (stretch.diff() >= -1e-5).all()


def test_the_ramp_counts_turns_in_the_trained_length():
    lengths = [512, 4096, 32768]
    tables = [YarnScaling().inv_freq(RopeGeometry(128, 10000.0, length), 4.0) for length in lengths]
    for shorter, longer in pairwise(tables):
        assert (shorter <= longer).all()
        assert (shorter < longer).any()


@pytest.mark.parametrize("factor", FACTORS)
def test_temperature(factor):
    assert YarnScaling().attention_scale(factor) == pytest.approx(0.1 * math.log(factor) + 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"beta_fast": 1, "beta_slow": 32}, "beta_fast must be above beta_slow, got 1.0 and 32.0"),
        ({"beta_slow": 0}, "beta_slow must be above 0, got 0"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(BadInput, match=f"rope_strategy.{message}"):
        YarnScaling(**fields)
