"""The laws every strategy keeps (intpv/laws/rope_strategy.py), and what holds of ours beside them."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.laws import laws_of
from intpv.rope_strategy.geometry import baseline_inv_freq
from intpv.rope_strategy.resonance import ResonanceScaling
from intpv.rope_strategy.strategy import RopeStrategy

from ..tiny import tiny_model
from .conftest import YAMLS, built, everywhere

FACTORS = [1.0, 1.5, 4.0, 7.3]
LAWS = [
    pytest.param(name, law, marks=pytest.mark.slow if law.name == "every kv_quant" and name != "yarn" else ())
    for name in (path.stem for path in YAMLS)
    for law in laws_of("rope_strategy", built(name), tiny_model)
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "law"), LAWS, ids=str)
def test_every_strategy_keeps_the_laws(name, law):
    try:
        assert law.judge()
    except BadInput:  # a strategy that does not go with M-RoPE says so
        assert law.may_refuse


def test_angles_are_positions_times_inv_freq(strategy):
    if type(strategy).angles is not RopeStrategy.angles:
        pytest.skip("its angles are its own: `experiments.check` holds a model to them")
    for geometry, layout, factor in everywhere(FACTORS):
        outer = torch.outer(strategy.positions(layout, factor)[0], strategy.inv_freq(geometry, factor))
        assert torch.equal(strategy.angles(layout, geometry, factor), outer), (geometry, layout, factor)


def test_no_token_turns_further_than_without_scaling(strategy):
    for geometry, layout, factor in everywhere(FACTORS[1:]):
        fastest = baseline_inv_freq(geometry)
        if isinstance(strategy, ResonanceScaling):  # a wavelength may be rounded down by half a token
            fastest = fastest / (1 - fastest / (4 * torch.pi))
        unscaled = torch.outer(torch.arange(layout.length).float(), fastest)
        angles = strategy.angles(layout, geometry, factor)
        assert (angles <= unscaled * (1 + 1e-6)).all(), (geometry, layout, factor)
