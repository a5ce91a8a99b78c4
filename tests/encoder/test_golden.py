"""The original LanguageBind code is the judge: same weights, same pixels, hidden states within 1e-5."""

import pytest
import torch
from einops import rearrange

from intpv.encoder.languagebind import LanguageBindTower
from intpv.encoder.tower_config import TowerConfig

GROUPING = {  # frames of the time axis to groups, and tokens of groups back to it
    "whole": ("b c n h w -> b n c h w", "b n p e -> b n p e"),
    "contiguous": ("b c (m n) h w -> (b m) n c h w", "(b m) n p e -> b (m n) p e"),
    "strided": ("b c (n m) h w -> (b m) n c h w", "(b m) n p e -> b (n m) p e"),
}
REDUCED = [("whole", 8), ("contiguous", 16), ("strided", 16)]
LAYERS = {"layer_m2": -2, "layer_m1": -1}


def error(reference, mode: str, frames: int, layer: str) -> float:
    """Greatest absolute difference between our hidden states and the original's."""
    config, weights, tensors = reference
    config = TowerConfig.read(config)
    tower = LanguageBindTower(config).eval()
    tower.load_state_dict(weights, strict=True)
    pixels, expected = tensors[f"pixel_values.t{frames}"], tensors[f"{mode}.t{frames}.{layer}"]
    split, merge = GROUPING[mode]
    with torch.inference_mode():
        states = tower(rearrange(pixels, split, n=8).contiguous(), config.depth(LAYERS[layer]))
    return (rearrange(states, merge, b=len(pixels), n=8) - expected).abs().max().item()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("mode", "frames"), REDUCED)
def test_equals_the_original(golden, mode, frames, layer):
    assert error(golden, mode, frames, layer) < 1e-5


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("mode", "frames"), [*REDUCED, ("contiguous", 32), ("strided", 32)])
def test_equals_the_original_on_the_full_files(full_golden, mode, frames, layer):
    assert error(full_golden, mode, frames, layer) < 1e-5


def test_other_activation_is_noticed(golden):
    config, weights, tensors = golden
    assert error(({**config, "hidden_act": "quick_gelu"}, weights, tensors), "whole", 8, "layer_m2") > 1e-2
