"""Putting a table into transformers' rotary module: what it then turns by, that it comes out again, what is refused."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from intpv.errors import BadInput
from intpv.rope_strategy.apply import applied, geometry_of
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.yarn import YarnScaling

GEOMETRY = RopeGeometry(16, 100.0, 40)


def rotary(rope_type: str = "default", **options) -> LlamaRotaryEmbedding:
    rope = {"rope_type": rope_type, "rope_theta": 100.0, **options}
    config = LlamaConfig(hidden_size=16, num_attention_heads=1, max_position_embeddings=64, rope_parameters=rope)
    return LlamaRotaryEmbedding(config)


def state(module: nn.Module) -> tuple:
    return module.inv_freq, module.inv_freq.clone(), module.attention_scaling, dict(module.named_buffers())


def assert_unchanged(module: nn.Module, before: tuple) -> None:
    table, values, scaling, buffers = before
    assert module.inv_freq is table
    assert torch.equal(table, values)
    assert module.attention_scaling == scaling
    assert dict(module.named_buffers()).keys() == buffers.keys()
    assert not module.state_dict()  # the buffer stays a non-persistent one


@pytest.mark.parametrize("factor", [1.0, 2.0, 7.3])
def test_the_module_turns_by_the_angles_of_the_strategy(strategy, layout, factor):
    module = rotary()
    positions, angles = strategy.positions(layout, factor), strategy.angles(layout, GEOMETRY, factor)
    with applied(module, strategy, GEOMETRY, factor):
        cos, sin = module(torch.zeros(1), positions)
    scale = strategy.attention_scale(factor)
    assert torch.equal(cos[0, :, :8], angles.cos() * scale)
    assert torch.equal(sin[0, :, :8], angles.sin() * scale)


def test_everything_is_restored(strategy):
    module = rotary()
    before = state(module)
    with applied(module, strategy, GEOMETRY, 4.0):
        pass
    assert_unchanged(module, before)


def test_everything_is_restored_after_an_exception(strategy):
    module = rotary()
    before = state(module)
    with pytest.raises(KeyError), applied(module, strategy, GEOMETRY, 4.0):
        raise KeyError
    assert_unchanged(module, before)


def test_nothing_is_touched_at_factor_one(strategy):
    module = rotary()
    before = state(module)
    with applied(module, strategy, GEOMETRY, 1.0):
        assert_unchanged(module, before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_tables_are_float32_in_a_module_that_was_cast(dtype, factor):
    module = rotary().to(dtype)
    before = state(module)
    with applied(module, LinearScaling(), GEOMETRY, factor):
        assert torch.equal(module.inv_freq, baseline_inv_freq(GEOMETRY) / factor)
    assert_unchanged(module, before)


@torch.inference_mode()
def test_the_model_is_itself_again(tiny_llama):
    tokens = torch.arange(30)[None]
    before = tiny_llama(tokens).logits
    with applied(tiny_llama.model.rotary_emb, YarnScaling(), geometry_of(tiny_llama.config, 40), 4.0):
        inside = tiny_llama(tokens).logits
    assert not torch.allclose(inside, before, atol=1e-3)
    assert torch.equal(tiny_llama(tokens).logits, before)


LONG = {"short_factor": [1.0] * 8, "long_factor": [2.0] * 8, "factor": 2.0, "original_max_position_embeddings": 32}


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (rotary("dynamic", factor=2.0), "rope_type must keep its table during forward, got dynamic"),
        (rotary("longrope", **LONG), "rope_type must keep its table during forward, got longrope"),
        (rotary("linear", factor=2.0), "inv_freq must be the unscaled table of base 100, got rope_type linear"),
        (nn.Linear(2, 2), "rotary module must have a buffer inv_freq, got Linear without one"),
    ],
    ids=["dynamic", "longrope", "linear", "none"],
)
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_refuses_a_module_with_a_table_of_its_own(module, message, factor):
    with pytest.raises(BadInput, match=message), applied(module, LinearScaling(), GEOMETRY, factor):
        pass


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (RopeGeometry(32, 100.0, 40), r"inv_freq must have head_dim / 2 = 16 channels, got \(8,\)"),
        (RopeGeometry(16, 101.0, 40), "inv_freq must be the unscaled table of base 101"),
    ],
)
def test_refuses_the_geometry_of_another_model(geometry, message):
    with pytest.raises(BadInput, match=message), applied(rotary(), LinearScaling(), geometry, 2.0):
        pass


def test_refuses_to_scale_twice():
    module = rotary()
    with (
        applied(module, LinearScaling(), GEOMETRY, 2.0),
        pytest.raises(BadInput, match="must be the unscaled table"),
        applied(module, LinearScaling(), GEOMETRY, 2.0),
    ):
        pass


def test_geometry_is_read_from_the_config():
    rope = {"rope_type": "default", "rope_theta": 10000}
    derived = LlamaConfig(hidden_size=4096, num_attention_heads=32, rope_parameters=rope)
    assert geometry_of(derived, 2056) == RopeGeometry(128, 10000.0, 2056)
    stated = LlamaConfig(hidden_size=4096, num_attention_heads=32, head_dim=64, rope_parameters=rope)
    assert geometry_of(stated, 4096) == RopeGeometry(64, 10000.0, 4096)


def test_geometry_reads_the_axes_of_m_rope():
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    config = SimpleNamespace(head_dim=128, rope_parameters=rope)
    assert geometry_of(config, 4096).axes == (16, 24, 24)


def test_geometry_refuses_a_config_without_one_base():
    config = SimpleNamespace(head_dim=128, rope_parameters={"full_attention": {"rope_theta": 1e4}})
    with pytest.raises(BadInput, match=r"rope_parameters must hold rope_theta, got \['full_attention'\]"):
        geometry_of(config, 4096)
