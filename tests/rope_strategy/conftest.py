"""Every strategy that has a YAML, and two videos with text around them: a new option is under the laws at once."""

import functools
import itertools
from pathlib import Path

import pytest
from transformers import LlamaForCausalLM

from intpv.laws.rope_strategy import LAYOUTS, SIZES
from intpv.layout import Layout
from intpv.options import CONF, option
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.own_rope import own_rope
from intpv.rope_strategy.rotation import Rotation
from intpv.rope_strategy.strategy import RopeStrategy

from ..tiny import tiny_llama

YAMLS = sorted((CONF / "rope_strategy").glob("*.yaml"))


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


@pytest.fixture(params=LAYOUTS, ids=lambda layout: f"S{layout.length}")
def layout(request) -> Layout:
    return request.param


@pytest.fixture(params=SIZES, ids=lambda geometry: f"d{geometry.head_dim}")
def geometry(request) -> RopeGeometry:
    return request.param


def everywhere(factors=(1.0,)) -> list[tuple[RopeGeometry, Layout, float]]:
    """Each geometry with each layout and factor: where thousands of tests of a millisecond would take minutes."""
    return list(itertools.product(SIZES, LAYOUTS, factors))


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
