"""TowerConfig: reads the original's config.json, and refuses one that would load quietly and be wrong."""

import json

import pytest

from intpv.encoder.tower_config import TowerConfig
from intpv.errors import BadInput


def test_reads_the_original_config_from_dict_nested_dict_and_file(golden, tmp_path):
    values = golden[0]
    config = TowerConfig.read(values)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "LanguageBindVideo", "vision_config": values}))
    assert config == TowerConfig.read({"vision_config": values}) == TowerConfig.read(path)
    assert (config.hidden_size, config.hidden_act, config.num_patches) == (32, "gelu", 16)


def test_refuses_a_tower_without_temporal_attention(golden):
    with pytest.raises(BadInput, match="add_time_attn must be true, got false"):
        TowerConfig.read(golden[0] | {"add_time_attn": False})


def test_activation_is_never_guessed(golden):
    with pytest.raises(BadInput, match="must state hidden_act"):
        TowerConfig.read({key: value for key, value in golden[0].items() if key != "hidden_act"})


def test_sizes_must_divide(golden):
    with pytest.raises(BadInput, match="multiple of num_attention_heads=5, got 32"):
        TowerConfig.read(golden[0] | {"num_attention_heads": 5})
    with pytest.raises(BadInput, match="multiple of patch_size=7, got 32"):
        TowerConfig.read(golden[0] | {"patch_size": 7})


@pytest.mark.parametrize(("select_layer", "depth"), [(-1, 3), (-2, 2), (-4, 0), (0, 0), (3, 3)])
def test_layers_count_as_hidden_states(golden, select_layer, depth):
    assert TowerConfig.read(golden[0]).depth(select_layer) == depth


@pytest.mark.parametrize("select_layer", [4, -5])
def test_a_layer_that_is_not_there_is_refused(golden, select_layer):
    with pytest.raises(BadInput, match=rf"-4\.\.3 for 3 blocks, got {select_layer}"):
        TowerConfig.read(golden[0]).depth(select_layer)
