"""LongRoPE against transformers, its list of another model's length, and what it is without one."""

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.longrope import LongRopeScaling
from intpv.rope_strategy.ntk import NTKScaling


def judge(geometry: RopeGeometry, factor: float, factors: list[float]) -> tuple[torch.Tensor, float]:
    """Beyond the trained length: transformers' own choice of the long list."""
    rope = {"rope_type": "longrope", "rope_theta": geometry.base, "factor": factor, "long_factor": factors}
    config = LlamaConfig(
        hidden_size=geometry.head_dim,
        num_attention_heads=1,
        max_position_embeddings=round(factor * geometry.trained_length),
        rope_parameters={
            **rope,
            "short_factor": [1.0] * len(factors),
            "original_max_position_embeddings": geometry.trained_length,
        },
    )
    return ROPE_INIT_FUNCTIONS["longrope"](config, seq_len=geometry.trained_length + 1)


def drawn(channels: int) -> list[float]:
    return (1 + 20 * torch.rand(channels, generator=torch.Generator().manual_seed(channels))).sort().values.tolist()


@pytest.mark.parametrize("factor", [1.5, 4.0, 32.0])
@pytest.mark.parametrize("trained_length", [80, 4096])
@pytest.mark.parametrize("base", [33.0, 10000.0, 1e6])
@pytest.mark.parametrize("head_dim", [16, 128])
def test_equals_transformers(head_dim, base, trained_length, factor):
    geometry, factors = RopeGeometry(head_dim, base, trained_length), drawn(head_dim // 2)
    expected, attention_factor = judge(geometry, factor, factors)
    ours = LongRopeScaling(long_factor=factors)
    torch.testing.assert_close(ours.inv_freq(geometry, factor), expected, rtol=1e-6, atol=0)
    assert ours.scale(geometry, factor) == pytest.approx(attention_factor, rel=1e-12)


@pytest.mark.parametrize("factor", [1.5, 4.0])
def test_without_a_list_it_is_ntk_under_a_temperature(geometry, factor):
    ours, ntk = LongRopeScaling(), NTKScaling(temperature="log_n")
    assert torch.equal(ours.inv_freq(geometry, factor), ntk.inv_freq(geometry, factor))
    assert ours.scale(geometry, factor) == ntk.scale(geometry, factor)


@pytest.mark.parametrize("factor", [1.0, 4.0])
@pytest.mark.parametrize("count", [1, 15, 17])
def test_refuses_a_list_of_another_length(count, factor):
    with pytest.raises(BadInput, match=f"long_factor must have 16 numbers for this model, got {count}"):
        LongRopeScaling(long_factor=[2.0] * count).inv_freq(RopeGeometry(32, 100.0, 80), factor)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("long.json", "must be null or a list of numbers, got long.json"),
        ([], r"must be null or a list of numbers, got \[\]"),
        ([1.0, 0.0], "must hold numbers above 0, got 0.0"),
        ([1.0, float("nan")], "must hold numbers above 0, got nan"),
        ([1.0, "2"], "must hold numbers above 0, got 2"),
    ],
)
def test_refuses(given, line):
    with pytest.raises(BadInput, match=f"rope_strategy.long_factor {line}"):
        LongRopeScaling(long_factor=given)
