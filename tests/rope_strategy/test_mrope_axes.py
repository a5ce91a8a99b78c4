"""M-RoPE by axes: the formula of YaRN-V in float64, and a factor of its own for every axis."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.layout import AXES
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.mrope_axes import MRopeAxesScaling
from intpv.rope_strategy.ntk import NTKScaling

from .conftest import geometry_of
from .test_axes import module

FACTORS = [1.5, 4.0, 7.3]
LENGTH = 40


def judge(base: float, dim: int, s: float) -> torch.Tensor:
    """b ((s L - 1) / (L - 1))^(d/(d-2)) as a table, in float64."""
    raised = base * ((s * LENGTH - 1) / (LENGTH - 1)) ** (dim / (dim - 2))
    return torch.tensor([raised ** (-2 * i / dim) for i in range(dim // 2)], dtype=torch.float64)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("kind", ["sections", "interleaved"])
def test_only_time_is_stretched_as_published(kind, factor):
    geometry = geometry_of(module(kind), LENGTH, AXES)
    table, time = MRopeAxesScaling().table(geometry, factor), torch.tensor(geometry.axis_of) == 0
    expected = judge(geometry.base, geometry.head_dim, factor)
    torch.testing.assert_close(table[time].double(), expected[time], rtol=2e-7, atol=0)
    assert torch.equal(table[~time], baseline_inv_freq(geometry)[~time])


@pytest.mark.parametrize("kind", ["sections", "interleaved"])
def test_an_axis_has_a_factor_of_its_own_unless_axes_leaves_it_out(kind):
    geometry = geometry_of(module(kind), LENGTH, AXES[:1])
    given = {"temporal": 2, "height": 3.5, "width": "auto"}
    for axes in ("auto", AXES):
        table = MRopeAxesScaling(axes=axes, **given).table(geometry, 5.0)
        for axis, own in enumerate((2.0, 3.5, 5.0)):
            of, scaled = torch.tensor(geometry.axis_of) == axis, axis == 0 or axes == AXES
            expected = judge(geometry.base, geometry.head_dim, own if scaled else 1.0)
            torch.testing.assert_close(table[of].double(), expected[of], rtol=2e-7, atol=0)


@pytest.mark.parametrize("factor", FACTORS)
def test_with_one_axis_it_is_ntk_of_last_positions(geometry, factor):
    last = (factor * geometry.trained_length - 1) / (geometry.trained_length - 1)
    expected = NTKScaling().inv_freq(geometry, last)
    torch.testing.assert_close(MRopeAxesScaling().inv_freq(geometry, factor), expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("field", AXES)
@pytest.mark.parametrize("given", [0.5, True, float("inf"), "llm"])
def test_refuses(field, given):
    with pytest.raises(BadInput, match=f"rope_strategy.{field} must be at least 1 or auto, got {given}"):
        MRopeAxesScaling(**{field: given})


def test_refuses_a_window_without_a_last_position():
    with pytest.raises(BadInput, match="rope_strategy=mrope_axes needs a window of 2 positions, got 1"):
        MRopeAxesScaling().inv_freq(RopeGeometry(4, 16.0, 1), 2.0)
