"""Every strategy that has a YAML, and two videos with text around them: a new option is under the laws at once."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from transformers import LlamaConfig, LlamaForCausalLM

from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry

YAMLS = sorted((Path(__file__).parents[2] / "conf" / "rope_strategy").glob("*.yaml"))


def video(num_frames: int, tokens: int = 5) -> Layout:
    """Text, `num_frames` frames of `tokens` tokens, a word of text in the middle, text."""
    frames = [Span(tokens, time=0.5 * i) for i in range(num_frames)]
    half = num_frames // 2
    return Layout((Span(3), *frames[:half], Span(1), *frames[half:], Span(2)))


@pytest.fixture(params=YAMLS, ids=lambda path: path.stem)
def yaml(request) -> Path:
    return request.param


@pytest.fixture
def strategy(yaml):
    return instantiate(OmegaConf.load(yaml))


@pytest.fixture(params=[8, 32], ids=lambda frames: f"{frames}frames")
def layout(request) -> Layout:
    return video(request.param)


@pytest.fixture(params=[(128, 10000.0, 4096), (64, 500000.0, 2056), (32, 100.0, 80)], ids=lambda p: f"d{p[0]}")
def geometry(request) -> RopeGeometry:
    return RopeGeometry(*request.param)


@pytest.fixture(scope="session")
def tiny_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.1,  # at the usual 0.02 random weights attend to everything alike
        rope_parameters={"rope_type": "default", "rope_theta": 100.0},
    )
    return LlamaForCausalLM(config).eval()
