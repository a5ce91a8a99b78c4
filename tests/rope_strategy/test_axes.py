"""M-RoPE: scaling acts on the axes it names, in the very module that turns, contiguous sections or interleaved ones."""

from dataclasses import replace

import pytest
import torch
from transformers import Qwen2_5_VLTextConfig, Qwen3VLTextConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLRotaryEmbedding
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRotaryEmbedding

from intpv.errors import BadInput
from intpv.hf.rotary import applied
from intpv.layout import AXES, Layout, Span
from intpv.rope_strategy.geometry import baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.own_rope import axis_of
from intpv.rope_strategy.partitioned import PartitionedStrategy
from intpv.rope_strategy.strategy import RopeStrategy
from intpv.rope_strategy.visual_only import VisualOnlyScaling

from .conftest import geometry_of, rotation_of

SHARED = {"num_attention_heads": 1, "num_key_value_heads": 1, "hidden_size": 32, "head_dim": 32}
ROPE = {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": [6, 5, 5]}


def module(kind: str):
    build, rotary = {
        "sections": (Qwen2_5_VLTextConfig, Qwen2_5_VLRotaryEmbedding),
        "interleaved": (Qwen3VLTextConfig, Qwen3VLTextRotaryEmbedding),
    }[kind]
    return rotary(build(**SHARED, rope_parameters=ROPE))


def video(slots: int, moves: bool) -> Layout:
    """Frames of 2 x 3 tokens that share a place and differ in time, or that the sequence moves on between."""
    frames = [
        Span(6, float(i), (2, 3), late=0 if moves else 2 * i, advance=3 if moves or i + 1 == slots else 0)
        for i in range(slots)
    ]
    return Layout((Span(4), *frames, Span(2)))


LAYOUTS = {"together": video(16, False), "apart": video(16, True)}


@pytest.fixture(params=["sections", "interleaved"])
def kind(request):
    return request.param


@pytest.fixture(params=LAYOUTS)
def grids(request):
    return LAYOUTS[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("axes", ["auto", ("height",), AXES])
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_the_module_turns_by_the_angles_of_the_strategy(strategy, kind, grids, axes, factor):
    rotary = module(kind)
    geometry = geometry_of(rotary, 40, grids.growing_axes)
    strategy = replace(strategy, axes=axes)
    if isinstance(strategy, PartitionedStrategy) and factor > 1:
        with pytest.raises(BadInput, match=f"rope_strategy={strategy.name} needs positions of one axis, this model"):
            strategy.angles(grids, geometry, factor)
        return
    angles = strategy.angles(grids, geometry, factor)
    table, ids = rotary.inv_freq, torch.arange(grids.length).expand(3, 1, -1)
    with applied(rotary, rotation_of(rotary, strategy, grids, factor), range(grids.length)):
        cos, sin = rotary(torch.zeros(1), ids)
    scale = strategy.scale(geometry, factor)
    torch.testing.assert_close(cos[0, :, :16], angles.cos() * scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(sin[0, :, :16], angles.sin() * scale, atol=1e-5, rtol=0)
    assert rotary.inv_freq is table


@pytest.mark.parametrize("axis", range(3))
def test_scaling_one_axis_leaves_the_channels_of_the_others(strategy, kind, axis):
    geometry = geometry_of(module(kind), 40, AXES)
    strategy = replace(strategy, axes=AXES[axis])
    others = torch.tensor(geometry.axis_of) != axis
    assert torch.equal(strategy.table(geometry, 4.0)[others], baseline_inv_freq(geometry)[others])


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_with_one_axis_the_choice_changes_nothing(strategy, geometry, layout, factor):
    before = strategy.angles(layout, geometry, factor)
    assert torch.equal(replace(strategy, axes="width").angles(layout, geometry, factor), before)


def test_the_module_says_which_channel_is_whose():
    assert axis_of(module("sections")) == (0,) * 6 + (1,) * 5 + (2,) * 5
    assert axis_of(module("interleaved")) == (0, 1, 2) * 5 + (0,)


def test_axes_that_grow_are_those_on_which_frames_are_told_apart():
    assert LAYOUTS["together"].growing_axes == ("temporal",)
    assert LAYOUTS["apart"].growing_axes == AXES


@pytest.mark.parametrize("slots", [4, 16, 64])
def test_growing_axes_are_the_ones_that_reach_further(slots):
    for moves in (False, True):
        few, many = (RopeStrategy().positions(video(n, moves), 1.0) for n in (slots, 2 * slots))
        further = tuple(axis for axis, a, b in zip(AXES, few, many, strict=True) if b.max() > a.max())
        assert further == video(slots, moves).growing_axes


def test_a_question_steps_by_one_on_every_axis(strategy, grids):
    asked = strategy.positions(grids.ask(9), 4.0)
    assert torch.equal(asked[:, grids.length :].diff(), torch.ones(3, 8))


def test_visual_only_squeezes_frames_and_leaves_the_steps_of_text():
    positions = VisualOnlyScaling().positions(LAYOUTS["apart"], 4.0)
    assert torch.equal(positions[:, :4], torch.arange(4.0).expand(3, 4))
    assert (positions[:, -1] == 5 + 16 * 3 / 4).all()


@pytest.mark.parametrize("axes", ["depth", ["temporal", "depth"], []])
def test_refuses_an_axis_that_is_none(axes):
    with pytest.raises(BadInput, match=r"rope_strategy\.axes must be auto or some of temporal, height, width, got"):
        LinearScaling(axes=axes)
