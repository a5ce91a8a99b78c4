"""Putting a rotation into transformers' rotary module: what it rotates by, what is put back, what refused."""

from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from intpv.errors import BadInput
from intpv.hf.rotary import applied
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.strategy import RopeStrategy, counts
from intpv.rope_strategy.yarn import YarnScaling

from ..rope_strategy.conftest import geometry_of, rotation_of

GEOMETRY = RopeGeometry(16, 100.0, 40)
TEXT = Layout((Span(30),))


@dataclass(frozen=True, kw_only=True)
class VisualYarn(YarnScaling):
    """Text advances by the trained frequencies, a visual token by YaRN's: no product of positions and a table."""

    def angles(self, layout, geometry, factor):
        text, visual = counts(layout)
        table = baseline_inv_freq(geometry)
        slowed = table - self.inv_freq(geometry, factor)  # exactly 0 at factor 1
        return (text + visual)[0, :, None] * table - visual[0, :, None] * slowed


def rotary(rope_type: str = "default", **options) -> LlamaRotaryEmbedding:
    rope = {"rope_type": rope_type, "rope_theta": 100.0, **options}
    config = LlamaConfig(hidden_size=16, num_attention_heads=1, max_position_embeddings=64, rope_parameters=rope)
    return LlamaRotaryEmbedding(config)


def state(module: nn.Module) -> dict:
    return {name: (table, table.clone()) for name, table in module.named_buffers()}


def assert_unchanged(module: nn.Module, before: dict) -> None:
    after = dict(module.named_buffers())
    assert after.keys() == before.keys()
    assert all(after[name] is table and torch.equal(table, values) for name, (table, values) in before.items())
    assert module.attention_scaling == 1.0
    assert "forward" not in vars(module)


def turned(module, rotation, tokens: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the strategy changes attention, none took place."""
    refused = pytest.raises(ValueError, match="changes attention: put") if rotation.partition else nullcontext()
    with refused, applied(module, rotation, tokens):
        found = module(torch.zeros(1), torch.tensor([tokens]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 2.0, 7.3])
def test_the_module_turns_by_the_angles_of_the_strategy(strategy, layout, factor):
    module = rotary()
    angles = strategy.angles(layout.ask(150), GEOMETRY, factor)
    rotation, scale = rotation_of(module, strategy, layout, factor), strategy.scale(GEOMETRY, factor)
    length = layout.length
    # prefill; a question; steps of an answer, beyond what was made at once; both sides of the question's start
    for tokens in (range(length), range(length, length + 9), range(length + 140, length + 141), range(3, length + 2)):
        cos, sin = turned(module, rotation, tokens)
        expected = angles[tokens.start : tokens.stop]
        assert torch.equal(cos[0, :, :8], expected.cos() * scale)
        assert torch.equal(sin[0, :, 8:], expected.sin() * scale)


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_a_strategy_of_its_own_angles_is_asked(layout, factor):
    """In float64, by its own formula: text x trained + visual x scaled."""
    module, strategy = rotary(), VisualYarn()
    rotation = rotation_of(module, strategy, layout, factor)
    tokens = range(layout.length + 70)
    cos, _ = turned(module, rotation, tokens)
    table = 100.0 ** -(torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    scaled = YarnScaling().inv_freq(GEOMETRY, factor).double()
    steps = [scaled if span.is_frame else table for span in layout.ask(70).spans for _ in range(span.length)]
    angles = torch.stack([torch.zeros(8).double(), *steps[:-1]]).cumsum(0)
    scale = strategy.attention_scale(factor)
    torch.testing.assert_close(cos[0, :, :8].double(), angles.cos() * scale, atol=2e-5, rtol=0)
    parent, _ = turned(module, rotation_of(module, YarnScaling(), layout, factor), tokens)
    assert torch.equal(cos, parent) == (factor == 1)


def test_everything_is_restored(strategy):
    module = rotary()
    before = state(module)
    with applied(module, rotation_of(module, strategy, TEXT, 1.0), range(9)):
        module(torch.zeros(1), torch.arange(9)[None])
    assert_unchanged(module, before)


def test_everything_is_restored_after_an_exception():
    module = rotary()
    before = state(module)
    with pytest.raises(KeyError), applied(module, rotation_of(module, LinearScaling(), TEXT, 4.0), range(9)):
        raise KeyError
    assert_unchanged(module, before)


def test_a_forward_that_another_library_put_there_is_kept():
    module = rotary()
    module.forward = own = lambda x, position_ids: None
    with applied(module, rotation_of(module, LinearScaling(), TEXT, 4.0), range(9)):
        assert module(torch.zeros(1), torch.arange(9)[None]) is not None
    assert module.forward is own


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_angles_are_float32_in_a_module_that_was_cast(dtype, factor):
    whole, cast = rotary(), rotary().to(dtype)
    rotations = [rotation_of(module, LinearScaling(), TEXT, factor) for module in (whole, cast)]
    assert torch.equal(turned(cast, rotations[1], range(30))[0], turned(whole, rotations[0], range(30))[0])
    with applied(cast, rotations[1], range(30)):
        assert cast(torch.zeros(1, dtype=dtype), torch.arange(30)[None])[0].dtype == dtype


@torch.inference_mode()
def test_the_model_is_itself_again(llama):
    tokens, rotary = torch.arange(30)[None], llama.model.rotary_emb
    before = llama(tokens).logits
    with applied(rotary, rotation_of(rotary, YarnScaling(), TEXT, 4.0), range(30)):
        inside = llama(tokens).logits
    assert not torch.allclose(inside, before, atol=1e-3)
    assert torch.equal(llama(tokens).logits, before)


def test_refuses_to_turn_twice():
    module = rotary()
    rotation = rotation_of(module, LinearScaling(), TEXT, 2.0)
    with (
        applied(module, rotation, range(9)),
        pytest.raises(BadInput, match="rotates by other angles already"),
        applied(module, rotation, range(9)),
    ):
        pass


class TooFew(RopeStrategy):
    def angles(self, layout, geometry, factor):
        return torch.zeros(layout.length, geometry.head_dim)


def test_refuses_angles_of_another_shape():
    module = rotary()
    with (
        pytest.raises(BadInput, match=r"TooFew.angles must be \(S, d/2\) = \(30, 8\) numbers, got \(30, 16\)"),
        applied(module, rotation_of(module, TooFew(), TEXT, 2.0), range(9)),
    ):
        pass


def test_refuses_a_module_that_is_none():
    with pytest.raises(BadInput, match="rotary module must have a config with rope_parameters, got Linear"):
        geometry_of(nn.Linear(2, 2), 40)


def test_refuses_a_table_that_is_not_its_config_s():
    module = rotary()
    module.inv_freq = module.inv_freq / 2
    with pytest.raises(BadInput, match="inv_freq must be the table of its config, rope_type default: got"):
        geometry_of(module, 40)
