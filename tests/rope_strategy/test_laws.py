"""The laws every strategy keeps: baseline at s = 1, a prefix that ignores its question, one table for all."""

import random

import pytest
import torch

from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import baseline_inv_freq
from intpv.rope_strategy.resonance import ResonanceScaling
from intpv.rope_strategy.strategy import RopeStrategy

FACTORS = [1.0, 1.5, 4.0, 7.3]


def test_at_factor_one_it_is_the_baseline_bit_for_bit(strategy, geometry, layout):
    assert torch.equal(strategy.inv_freq(geometry, 1.0), baseline_inv_freq(geometry))
    assert torch.equal(strategy.positions(layout, 1.0)[0], torch.arange(layout.length).float())
    assert strategy.attention_scale(1.0) == 1.0


def test_at_trained_length_auto_is_exactly_one(strategy, layout):
    assert strategy.resolve(layout, (layout.visual_length,), layout.length + 32) == 1.0


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("question", [1, 40])
def test_the_prefix_does_not_depend_on_the_question(strategy, geometry, layout, factor, question):
    asked = layout.ask(question)
    assert torch.equal(strategy.positions(asked, factor)[:, : layout.length], strategy.positions(layout, factor))
    alone, both = strategy.angles(layout, geometry, factor), strategy.angles(asked, geometry, factor)
    assert torch.equal(both[: layout.length], alone)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("factor", FACTORS)
def test_no_position_depends_on_what_follows(strategy, factor, seed):
    draw = random.Random(seed)
    spans = tuple(Span(draw.randrange(12), draw.choice([None, 0.0, 2.5])) for _ in range(12))
    whole = strategy.positions(Layout(spans), factor)
    for cut in range(len(spans)):
        part = Layout(spans[:cut])
        assert torch.equal(whole[:, : part.length], strategy.positions(part, factor))


@pytest.mark.parametrize("factor", FACTORS)
def test_positions_start_at_zero_and_grow(strategy, layout, factor):
    positions = strategy.positions(layout, factor)
    assert positions[0, 0] == 0
    assert (positions.diff() > 0).all()


@pytest.mark.parametrize("factor", FACTORS)
def test_angles_are_positions_times_inv_freq(strategy, geometry, layout, factor):
    if type(strategy).angles is not RopeStrategy.angles:
        pytest.skip("its angles are its own: `experiments.check` holds a model to them")
    outer = torch.outer(strategy.positions(layout, factor)[0], strategy.inv_freq(geometry, factor))
    assert torch.equal(strategy.angles(layout, geometry, factor), outer)


@pytest.mark.parametrize("factor", FACTORS)
def test_tables_are_float32_whatever_the_default(strategy, geometry, layout, factor):
    expected = strategy.angles(layout, geometry, factor)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.bfloat16)
        angles = strategy.angles(layout, geometry, factor)
    finally:
        torch.set_default_dtype(before)
    assert angles.dtype == torch.float32
    assert torch.equal(angles, expected)


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_no_token_turns_further_than_without_scaling(strategy, geometry, layout, factor):
    fastest = baseline_inv_freq(geometry)
    if isinstance(strategy, ResonanceScaling):  # a wavelength may be rounded down by half a token
        fastest = fastest / (1 - fastest / (4 * torch.pi))
    unscaled = torch.outer(torch.arange(layout.length).float(), fastest)
    assert (strategy.angles(layout, geometry, factor) <= unscaled * (1 + 1e-6)).all()
