"""LanguageBind: strict loading, the layer convention, time slots, and transformers' CLIP where time is switched off."""

from dataclasses import asdict

import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from intpv.encoder.languagebind import LanguageBind, LanguageBindTower, time_slots
from intpv.encoder.tower_config import TowerConfig


def tower_of(golden):
    config, weights, _ = golden
    return LanguageBindTower(TowerConfig.read(config)), dict(weights)


def test_old_position_ids_are_ignored(golden):
    tower, weights = tower_of(golden)
    weights["embeddings.position_ids"] = torch.arange(17)[None]
    tower.load_state_dict(weights, strict=True)
    assert tower.state_dict().keys() == weights.keys() - {"embeddings.position_ids"}


def test_position_ids_are_ignored_under_a_prefix(languagebind):
    weights = languagebind.state_dict() | {"tower.embeddings.position_ids": torch.arange(5)[None]}
    languagebind.load_state_dict(weights, strict=True)


@pytest.mark.parametrize("part", ["temporal_embedding", "temporal_attn.q_proj.weight", "temporal_layer_norm1.bias"])
def test_missing_temporal_tensor_is_named(golden, part):
    tower, weights = tower_of(golden)
    del weights[f"encoder.layers.1.{part}"]
    with pytest.raises(RuntimeError, match=rf"Missing key.*encoder\.layers\.1\.{part}"):
        tower.load_state_dict(weights, strict=True)


def test_left_over_temporal_tensor_is_named(golden):
    tower, weights = tower_of(golden)
    weights["encoder.layers.0.temporal_mlp.fc1.weight"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*temporal_mlp"):
        tower.load_state_dict(weights, strict=True)


def test_state_dict_has_the_two_prefixes(languagebind):
    keys = languagebind.state_dict().keys()
    assert {key for key in keys if not key.startswith("tower.")} == {
        f"projector.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("select_layer", [-1, -2, 0])
def test_without_time_it_is_clip(languagebind, groups, activation, select_layer):
    encoder = LanguageBind(
        **asdict(languagebind.config) | {"hidden_act": activation}, select_layer=select_layer, llm_width=32
    )
    with torch.no_grad():
        for block in encoder.tower.encoder["layers"]:
            for silent in (block.temporal_embedding, *block.temporal_attn.out_proj.parameters()):
                silent.zero_()
    clip = CLIPVisionModel(CLIPVisionConfig(**asdict(encoder.config))).eval()
    spatial = {key: value for key, value in encoder.tower.state_dict().items() if "temporal" not in key}
    clip.load_state_dict(spatial, strict=True)
    with torch.inference_mode():
        expected = clip(groups.flatten(0, 1), output_hidden_states=True).hidden_states[select_layer]
        torch.testing.assert_close(encoder.features(groups).flatten(0, 1), expected, atol=1e-5, rtol=0)


def test_groups_do_not_see_each_other(languagebind, groups):
    with torch.inference_mode():
        together = languagebind(groups)
        alone = torch.cat([languagebind(group[None]) for group in groups])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_frames_of_a_group_see_each_other(languagebind, groups):
    other = groups.clone()
    other[0, 7] = 0.0
    with torch.inference_mode():
        before, after = languagebind(groups), languagebind(other)
    assert (before[0, 0] - after[0, 0]).abs().max() > 1e-4
    assert torch.equal(before[1], after[1])


def test_blocks_after_the_selected_one_do_not_run(languagebind, groups):
    encoder = LanguageBind(**asdict(languagebind.config), select_layer=-2, llm_width=32)
    ran = []
    for index, block in enumerate(encoder.tower.encoder["layers"]):
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
    encoder.features(groups)
    assert ran == [0, 1]


def test_slots_of_a_trained_length_are_untouched():
    slots = torch.randn(1, 8, 5)
    assert time_slots(slots, 8) is slots


@pytest.mark.parametrize("frames", [4, 16, 32, 12])
def test_stretched_slots_stay_linear(frames):
    """Slots that count half-pixel centres, stretched: still those centres, clamped at the outermost learned slots."""
    slots = ((torch.arange(8) + 0.5) / 8)[None, :, None]
    centres = (torch.arange(frames) + 0.5) / frames
    expected = centres.clamp(slots.min(), slots.max())
    torch.testing.assert_close(time_slots(slots, frames)[0, :, 0], expected)


def test_one_group_of_sixteen_is_read(languagebind, groups):
    with torch.inference_mode():
        tokens = languagebind(groups.flatten(0, 1)[None])
    assert tokens.shape == (1, 16, 5, 32)
    assert tokens.isfinite().all()
