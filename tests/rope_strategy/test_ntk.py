"""NTK-aware scaling: the published bases, and which channels it stretches by how much."""

import pytest
import torch

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.ntk import NTKScaling

NTK = NTKScaling()
FACTORS = [1.5, 2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(("factor", "base"), [(2.0, 20221), (4.0, 40890), (8.0, 82685)])
def test_published_bases(factor, base):
    vicuna = RopeGeometry(128, 10000.0, 4096)
    assert round(NTK.scaled_base(vicuna, factor)) == base
    # channel 1 turns by b'^(-2/d) a token: the base read back from the table itself
    assert NTK.inv_freq(vicuna, factor)[1].double().item() ** -64 == pytest.approx(base, rel=5e-5)


@pytest.mark.parametrize("factor", FACTORS)
def test_slowest_is_stretched_by_s_fastest_is_kept(geometry, factor):
    stretch = baseline_inv_freq(geometry) / NTK.inv_freq(geometry, factor)
    assert stretch[0] == 1
    assert stretch[-1].item() == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("factor", FACTORS)
def test_the_slower_the_channel_the_more_it_is_stretched(geometry, factor):
    stretch = baseline_inv_freq(geometry) / NTK.inv_freq(geometry, factor)
    assert (stretch.diff() > 0).all()


@pytest.mark.parametrize("factor", FACTORS)
def test_stretch_is_a_power_of_s(geometry, factor):
    stretch = baseline_inv_freq(geometry) / NTK.inv_freq(geometry, factor)
    exponents = torch.arange(geometry.head_dim // 2) / (geometry.head_dim // 2 - 1)
    torch.testing.assert_close(stretch, factor**exponents, rtol=2e-6, atol=0)
