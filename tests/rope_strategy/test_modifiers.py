"""The two modifiers every strategy takes: `visual`, which scales visual tokens alone, and `temperature`."""

import math
from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from intpv.errors import BadInput
from intpv.hf.rotary import applied
from intpv.laws.rope_strategy import video
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.partitioned import PartitionedStrategy
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.rope_strategy.yarn import YarnScaling

from .conftest import YAMLS, built, everywhere, rotation_of

SCALING = [path.stem for path in YAMLS if path.stem != "none" and not isinstance(built(path.stem), PartitionedStrategy)]
FACTORS = [1.5, 4.0, 7.3]
MODIFIERS = [{"visual": True}, {"temperature": "yarn"}, {"visual": True, "temperature": "log_n"}, {"temperature": 1.3}]


@pytest.fixture(params=SCALING)
def scaling(request):
    return built(request.param)


@pytest.mark.parametrize("modifiers", MODIFIERS, ids=str)
def test_at_factor_one_it_is_the_baseline_bit_for_bit(scaling, modifiers):
    changed = replace(scaling, **modifiers)
    for geometry, layout, factor in everywhere():
        expected = torch.outer(torch.arange(layout.length).float(), baseline_inv_freq(geometry))
        assert torch.equal(changed.angles(layout, geometry, factor), expected), (geometry, layout)
        assert changed.scale(geometry, factor) == 1.0, (geometry, layout)


def test_visual_linear_is_visual_only():
    both = LinearScaling(visual=True), VisualOnlyScaling()
    for geometry, layout, factor in everywhere(FACTORS):
        visual, only = (strategy.angles(layout.ask(9), geometry, factor) for strategy in both)
        torch.testing.assert_close(visual, only, rtol=3e-7, atol=0)  # roundings of float32: positions and table


def test_text_steps_by_training_and_frames_by_the_scaled_angles(scaling):
    for geometry, layout, factor in everywhere(FACTORS):
        steps = replace(scaling, visual=True).angles(layout, geometry, factor).double().diff(dim=0)
        plain = scaling.angles(layout, geometry, factor).double().diff(dim=0)
        frames = torch.tensor([span.is_frame for span in layout.spans for _ in range(span.length)])[:-1]
        trained = baseline_inv_freq(geometry).double().expand_as(steps)
        torch.testing.assert_close(steps, torch.where(frames[:, None], plain, trained), rtol=0, atol=5e-5)


@pytest.mark.parametrize("factor", FACTORS)
def test_visual_without_frames_is_the_table_of_training(scaling, geometry, factor):
    text = Layout((Span(40),))
    expected = torch.outer(torch.arange(40).double(), baseline_inv_freq(geometry).double())
    angles = replace(scaling, visual=True).angles(text, geometry, factor)
    torch.testing.assert_close(angles, expected.float(), rtol=1e-7, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("modifiers", MODIFIERS, ids=str)
def test_the_prefix_does_not_depend_on_the_question(scaling, modifiers):
    changed = replace(scaling, **modifiers)
    for geometry, layout, factor in everywhere(FACTORS):
        prefix = changed.angles(layout, geometry, factor)
        for length in (1, 40):
            asked = changed.angles(layout.ask(length), geometry, factor)
            assert torch.equal(asked[: layout.length], prefix), (geometry, layout, factor)


@pytest.mark.parametrize("modifiers", MODIFIERS, ids=str)
def test_the_module_rotates_by_what_keys_are_unrotated_by(scaling, modifiers):
    """cos and sin of transformers' own module, in float64 against the angles and the scale that packing undoes."""
    rotary = LlamaRotaryEmbedding(LlamaConfig(hidden_size=32, num_attention_heads=1))
    layout = video(8)
    rotation = rotation_of(rotary, replace(scaling, **modifiers), layout, 4.0)
    with applied(rotary, rotation, range(layout.length)):
        cos, sin = rotary(torch.zeros(1, layout.length, 32), torch.arange(layout.length)[None])
    angles, square = rotation.unrotation.double(), rotation.scale**2
    half = angles.shape[-1]
    back = (cos[0, :, :half] * angles.cos() + sin[0, :, :half] * angles.sin()) * rotation.scale / square
    torch.testing.assert_close(back, torch.ones_like(back), rtol=0, atol=1e-5)
    assert rotation.scale == replace(scaling, **modifiers).scale(rotation.geometry, 4.0)


@pytest.mark.parametrize("factor", FACTORS)
def test_temperatures(scaling, factor):
    geometry = RopeGeometry(128, 10000.0, 4096)
    named = {
        name: replace(scaling, temperature=name).scale(geometry, factor) for name in ("yarn", "log_n", 1.3, 1, None)
    }
    assert named["yarn"] == YarnScaling().attention_scale(factor)
    assert named["log_n"] ** 2 == pytest.approx(math.log(factor * 4096) / math.log(4096), rel=1e-12)
    assert (named[1.3], named[1]) == (1.3, 1.0)
    assert named[None] == scaling.scale(geometry, factor)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"visual": "yes"}, "visual must be true or false, got yes"),
        ({"visual": 1}, "visual must be true or false, got 1"),
        ({"temperature": "ntk"}, "temperature must be a number, null, yarn or log_n, got ntk"),
        ({"temperature": -1.0}, "temperature must be above 0, got -1.0"),
        ({"temperature": True}, "temperature must be above 0, got True"),
        ({"temperature": math.nan}, "temperature must be above 0, got nan"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(BadInput, match=f"rope_strategy.{message}"):
        LinearScaling(**fields)


@pytest.mark.parametrize("modifiers", MODIFIERS, ids=str)
def test_none_refuses_what_it_would_ignore(modifiers):
    with pytest.raises(BadInput, match="rope_strategy=none does not scale: there is nothing for"):
        NoScaling(**modifiers)


def test_log_n_refuses_a_window_of_one_token():
    with pytest.raises(BadInput, match="temperature=log_n needs a window of 2 tokens, got 1"):
        LinearScaling(temperature="log_n").scale(RopeGeometry(4, 16.0, 1), 2.0)
