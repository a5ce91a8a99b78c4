"""A checkpoint's own RoPE is the baseline: at factor 1 cos and sin are the module's own, and strategies act on it."""

import pytest
import torch
from transformers import (
    CohereConfig,
    Gemma3TextConfig,
    GptOssConfig,
    Llama4TextConfig,
    LlamaConfig,
    Phi3Config,
    PhimoeConfig,
)
from transformers.models.cohere.modeling_cohere import CohereRotaryEmbedding
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.llama4.modeling_llama4 import Llama4TextRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding
from transformers.models.phimoe.modeling_phimoe import PhimoeRotaryEmbedding

from intpv.errors import BadInput
from intpv.hf.rotary import applied
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.strategy import counts
from intpv.rope_strategy.yarn import YarnScaling

from ..largest_allocation import LargestAllocation
from .conftest import geometry_of, rotation_of

SHAPE = {"hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 256}
LONG = {
    "rope_type": "longrope",
    "short_factor": [1.0 + i / 9 for i in range(16)],
    "long_factor": [2.0 + i for i in range(16)],
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
ROPES = {
    "default": {"rope_type": "default"},
    "linear": {"rope_type": "linear", "factor": 2.5},
    "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
    "longrope": LONG,
}
SCALED = [name for name in ROPES if name not in ("default", "dynamic")]


def llama(name: str) -> LlamaRotaryEmbedding:
    return LlamaRotaryEmbedding(LlamaConfig(**SHAPE, rope_parameters={**ROPES[name], "rope_theta": 10000.0}))


def gemma3() -> Gemma3RotaryEmbedding:
    rope = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    types = ["sliding_attention", "full_attention"]
    return Gemma3RotaryEmbedding(Gemma3TextConfig(**SHAPE, head_dim=32, layer_types=types, rope_parameters=rope))


PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
MODULES = {
    **{name: lambda name=name: llama(name) for name in ROPES},
    "partial": lambda: Phi3RotaryEmbedding(
        Phi3Config(**SHAPE, pad_token_id=0, rope_parameters={**PLAIN, "partial_rotary_factor": 0.5})
    ),
    "side by side": lambda: CohereRotaryEmbedding(CohereConfig(**SHAPE, rope_parameters=PLAIN)),
    "once": lambda: GptOssRotaryEmbedding(
        GptOssConfig(**SHAPE, head_dim=32, rope_parameters={**ROPES["yarn"], "rope_theta": 10000.0})
    ),
    "by type of layer": gemma3,
}


def video(tokens: int) -> Layout:
    return Layout((Span(4), *(Span(5, float(second)) for second in range(tokens // 5)), Span(1)))


def both(module, rotation, length: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """cos and sin under our rotation and under the module's own forward, of every type of layer."""
    kinds = rotation.geometries()
    ids, more = torch.arange(length)[None], [{"layer_type": kind} if kind else {} for kind in kinds]
    with applied(module, rotation, range(length)):
        ours = [one for named in more for one in module(torch.zeros(1), ids, **named)]
    theirs = [one for named in more for one in module(torch.zeros(1), ids, **named)]
    return list(zip(ours, theirs, strict=True))


@pytest.mark.parametrize("tokens", [20, 150])  # longrope: the short table, the long one
@pytest.mark.parametrize("kind", MODULES)
def test_at_factor_one_it_is_the_modules_own_bit_for_bit(strategy, kind, tokens):
    module, layout = MODULES[kind](), video(tokens)
    for ours, theirs in both(module, rotation_of(module, strategy, layout, 1.0), layout.length):
        assert torch.equal(ours, theirs)


def test_the_module_that_was_read_is_not_touched():
    module = MODULES["longrope"]()
    before = {name: table.clone() for name, table in module.named_buffers()}
    geometry_of(module, 40, length=200)
    assert all(torch.equal(table, before[name]) for name, table in module.named_buffers())


@pytest.mark.parametrize("kind", SCALED)
def test_linear_slows_its_own_table_and_keeps_its_own_temperature(kind):
    module, layout = llama(kind), video(150)
    ids, exact = torch.arange(layout.length).double(), None
    _, theirs = both(module, rotation_of(module, NoScaling(), layout, 1.0), layout.length)[0]
    exact = module.inv_freq.double() / 4  # as its own forward left it, for a sequence of this length
    rotation = rotation_of(module, LinearScaling(), layout, 4.0)
    with applied(module, rotation, range(layout.length)):
        cos, sin = module(torch.zeros(1), torch.arange(layout.length)[None])
    expected = torch.outer(ids, exact)
    for got, function in ((cos, torch.cos), (sin, torch.sin)):
        half = function(expected) * module.attention_scaling
        torch.testing.assert_close(got[0].double(), torch.cat([half, half], -1), atol=5e-5, rtol=0)
    assert theirs.shape == cos.shape


@pytest.mark.parametrize("kind", SCALED)
def test_ntk_stretches_channel_i_by_the_same_power_of_s(kind):
    geometry = geometry_of(llama(kind), 40, length=200)
    stretch = baseline_inv_freq(geometry).double() / NTKScaling().inv_freq(geometry, 4.0)
    torch.testing.assert_close(stretch, 4.0 ** (torch.arange(16).double() / 15), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", ROPES)
def test_yarn_keeps_and_slows_channels_by_the_turns_of_its_own_table(kind):
    geometry = geometry_of(llama(kind), 600, length=200)
    own, yarn = baseline_inv_freq(geometry), YarnScaling()
    stretch, turns = own / yarn.inv_freq(geometry, 4.0), own * 600 / (2 * torch.pi)
    later, earlier = turns.roll(1), turns.roll(-1)  # the ramp ends on whole channels
    later[0], earlier[-1] = torch.inf, 0
    assert (stretch[earlier > 32] == 1).all()
    torch.testing.assert_close(stretch[later < 1], torch.full_like(stretch[later < 1], 4.0), rtol=1e-6, atol=0)
    assert (later < 1).any()
    assert (stretch >= 1).all()
    assert (stretch.diff() >= -1e-5).all()


def test_a_stretched_plain_table_ramps_as_the_closed_form():
    """The judge: linear's table is a plain one of a window that is shorter by its factor."""
    stretched, plain = geometry_of(llama("linear"), 500), RopeGeometry(32, 10000.0, 200)
    ratios = [YarnScaling().inv_freq(one, 4.0) / baseline_inv_freq(one) for one in (stretched, plain)]
    torch.testing.assert_close(*ratios, rtol=1e-6, atol=0)


def test_only_layers_that_see_everything_are_scaled():
    module, layout = gemma3(), video(150)
    own = own_rope(module, 40)
    assert (own.layer_type, list(own.fixed)) == ("full_attention", ["sliding_attention"])
    assert (own.scaled.rope_type, own.scaled.own_factor) == ("linear", 8.0)
    rotation = rotation_of(module, LinearScaling(), layout, 4.0)
    pairs = both(module, rotation, layout.length)
    kinds = [kind for kind in rotation.geometries() for _ in range(2)]
    assert {kind: torch.equal(*pair) for kind, pair in zip(kinds, pairs, strict=True)} == {
        "sliding_attention": True,
        "full_attention": False,
    }
    assert rotation.unrotation is None


@pytest.mark.parametrize(("kind", "most"), [("dynamic", 256), ("longrope", 64)])
def test_what_would_change_the_table_behind_a_prefix_is_refused_at_factor_one(kind, most):
    module, layout = llama(kind), video(20)
    rotation = rotation_of(module, NoScaling(), layout, 1.0)
    with applied(module, rotation, range(layout.length, most)):
        pass
    line = rf"rope_type {kind}\) rotates sequences beyond {most} positions by another table.*got {most + 1} positions"
    with pytest.raises(BadInput, match=line), applied(module, rotation, range(layout.length, most + 1)):
        pass
    with applied(module, rotation_of(module, NTKScaling(), layout, 2.0), range(layout.length, most + 1)):
        pass  # scaled by us there is one table


def test_tables_that_we_cannot_make_are_refused():
    config = Llama4TextConfig(**SHAPE, head_dim=32, rope_parameters=PLAIN)
    phimoe = PhimoeRotaryEmbedding(PhimoeConfig(hidden_size=64, num_attention_heads=2))
    with pytest.raises(BadInput, match="PhimoeRotaryEmbedding makes its table anew in every forward"):
        geometry_of(phimoe, 64)
    with pytest.raises(BadInput, match="rotary module must give cos and sin, Llama4TextRotaryEmbedding gives Tensor"):
        geometry_of(Llama4TextRotaryEmbedding(config), 40)
    module = gemma3()
    module.config.rope_parameters["sliding_attention"] = {"rope_type": "default"}
    with pytest.raises(BadInput, match=r"rope_parameters must hold rope_theta, got \['rope_type'\]"):
        own_rope(module, 40)


@pytest.mark.parametrize("advance", [None, 1, 2])
def test_the_first_token_beyond_the_table_is_the_first_whose_position_is(advance):
    """The judge: positions of the whole sequence, where frames may move text on by less than they take."""
    frame = Span(24, time=0.0, grid=(4, 6), advance=advance)
    prefix = Layout((Span(4), frame, frame, frame, Span(3)))
    rotation, most = rotation_of(llama("dynamic"), NoScaling(), prefix, 1.0), 256
    for stop in range(prefix.length, 500):
        text, visual = counts(prefix.ask(stop - prefix.length))
        if (text + visual).max() < most:
            rotation.check(stop)
        else:
            with pytest.raises(BadInput, match="by another table"):
                rotation.check(stop)


def test_whether_a_token_is_beyond_the_table_is_not_found_by_counting_the_prefix_again():
    frame = Span(30, time=0.0, grid=(5, 6), advance=0)  # 301 tokens in 60 positions: more tokens than the table holds
    rotation = rotation_of(llama("dynamic"), NoScaling(), Layout((Span(1), *[frame] * 10)), 1.0)
    rotation.check(310)  # the question
    with LargestAllocation() as step:
        rotation.check(311)
    assert step.largest < 301
