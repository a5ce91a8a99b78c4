"""Every strategy that has a YAML, and two videos with text around them: a new option is under the laws at once."""

import functools
from pathlib import Path

import pytest
from transformers import LlamaForCausalLM

from intpv.layout import Layout, Span
from intpv.options import CONF, option
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.strategy import RopeStrategy

from ..tiny import tiny_llama

YAMLS = sorted((CONF / "rope_strategy").glob("*.yaml"))


def video(num_frames: int, tokens: int = 5) -> Layout:
    """Text, `num_frames` frames of `tokens` tokens, a word of text in the middle, text."""
    frames = [Span(tokens, time=0.5 * i) for i in range(num_frames)]
    half = num_frames // 2
    return Layout((Span(3), *frames[:half], Span(1), *frames[half:], Span(2)))


@pytest.fixture(params=YAMLS, ids=lambda path: path.stem)
def yaml(request) -> Path:
    return request.param


@functools.cache
def built(name: str) -> RopeStrategy:
    """Composed once: a thousand tests ask for one, and it is frozen."""
    return option("rope_strategy", name)


@pytest.fixture
def strategy(yaml) -> RopeStrategy:
    return built(yaml.stem)


@pytest.fixture(params=[8, 32], ids=lambda frames: f"{frames}frames")
def layout(request) -> Layout:
    return video(request.param)


@pytest.fixture(params=[(128, 10000.0, 4096), (64, 500000.0, 2056), (32, 100.0, 80)], ids=lambda p: f"d{p[0]}")
def geometry(request) -> RopeGeometry:
    return RopeGeometry(*request.param)


def geometry_of(rotary, trained_length: int, growing: tuple[str, ...] = (), length: int = 1) -> RopeGeometry:
    """What strategies scale of a module."""
    return own_rope(rotary, trained_length, growing, length).scaled


def rotation_of(rotary, strategy, layout: Layout, factor: float, trained_length: int = 40) -> Rotation:
    """As a context fixes it."""
    own = own_rope(rotary, trained_length, layout.growing_axes, layout.length + strategy.reserve_text)
    return Rotation(strategy, layout, own, factor)


@pytest.fixture(scope="session")
def llama() -> LlamaForCausalLM:
    return tiny_llama()
