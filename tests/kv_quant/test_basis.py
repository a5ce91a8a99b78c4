"""Independent judge: transformers' own rotation is undone, YaRN's temperature left in; and both ways cancel out."""

import pytest
import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from intpv.errors import BadInput
from intpv.kv_quant.basis import PreRope
from intpv.kv_quant.granularity import PerChannel
from intpv.kv_quant.stored import Codes
from intpv.layout import Layout, Span
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.visual_only import VisualOnlyScaling
from intpv.rope_strategy.yarn import YarnScaling

LAYOUT = Layout((Span(5), *(Span(10, float(t)) for t in range(32)), Span(3)))
GEOMETRY = RopeGeometry(head_dim=32, base=100.0, trained_length=80)
STRATEGIES = [NoScaling(), LinearScaling(), NTKScaling(), YarnScaling(), VisualOnlyScaling()]


def _rotated(keys, angles, scale):
    angles = torch.cat([angles, angles], -1)[None]
    return apply_rotary_pos_emb(keys[None], keys[None], angles.cos() * scale, angles.sin() * scale)[1][0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_undoes_transformers_rotation(strategy):
    keys = torch.randn(2, LAYOUT.length, 32)
    angles, scale = strategy.angles(LAYOUT, GEOMETRY, 4.0), strategy.attention_scale(4.0)
    rotated = _rotated(keys, angles, scale)
    basis = PreRope.of(angles, rotated.device)
    torch.testing.assert_close(basis.into(rotated), scale * keys, atol=2e-4, rtol=2e-4)
    torch.testing.assert_close(basis.back(basis.into(rotated), 0), rotated, atol=1e-5, rtol=1e-5)


def test_the_way_back_starts_anywhere():
    keys = torch.randn(2, LAYOUT.length, 32)
    basis = PreRope.of(NoScaling().angles(LAYOUT, GEOMETRY, 1.0), keys.device)
    pieces = [basis.back(keys[:, start : start + 50], start) for start in range(0, LAYOUT.length, 50)]
    assert torch.equal(torch.cat(pieces, 1), basis.back(keys, 0))


@pytest.mark.parametrize("farthest", [0.0, 1.0, 1e5])
def test_far_positions_and_none_cancel_out(farthest):
    keys = torch.randn(2, 40, 32)
    angles = torch.linspace(0, farthest, 40)[:, None] * 100.0 ** (-torch.arange(16) / 16)
    basis = PreRope.of(angles, keys.device)
    torch.testing.assert_close(basis.back(basis.into(keys), 0), keys, atol=1e-5, rtol=1e-5)


def test_keys_that_differ_by_their_position_alone_cost_nothing():
    angles = NoScaling().angles(LAYOUT, GEOMETRY, 1.0)
    rotated = _rotated(torch.randn(2, 1, 32).expand(2, LAYOUT.length, 32), angles, 1.0)
    basis = PreRope.of(angles, rotated.device)
    pre, post = (Codes.of(rotated, 2, PerChannel(32), bases).piece(0, LAYOUT.length) for bases in ((basis,), ()))
    assert (pre - rotated).norm() < 0.01 * rotated.norm()
    assert (post - rotated).norm() > 0.1 * rotated.norm()


def _of_axes(count: int) -> torch.Tensor:
    """M-RoPE: each pair of channels has its axis."""
    rows = torch.stack([torch.arange(40.0), torch.arange(40.0) % 7, torch.arange(40.0) // 7, torch.arange(40.0) % 5])
    return rows[torch.arange(16) % count].T * 100.0 ** (-torch.arange(16) / 16)


@pytest.mark.parametrize("axes", [2, 3])
def test_undoes_a_rotation_of_several_axes(axes):
    keys, angles = torch.randn(2, 40, 32), _of_axes(axes)
    rotated = _rotated(keys, angles, 1.0)
    basis = PreRope.of(angles, keys.device)
    assert basis.positions.shape == (axes, 40)
    torch.testing.assert_close(basis.into(rotated), keys, atol=2e-4, rtol=2e-4)
    pieces = [basis.back(keys[:, start : start + 9], start) for start in range(0, 40, 9)]
    assert torch.equal(torch.cat(pieces, 1), basis.back(keys, 0))


@pytest.mark.parametrize("needed", [1, 2, 3])
def test_axes_that_none_needs_may_be_kept(needed):
    """Bytes are told by the layout: an axis that turns too slowly to matter is kept too."""
    keys, angles = torch.randn(2, 40, 32), _of_axes(needed)
    basis = PreRope.of(angles, keys.device, axes=3)
    assert basis.positions.shape == (3, 40)
    torch.testing.assert_close(basis.into(_rotated(keys, angles, 1.0)), keys, atol=2e-4, rtol=2e-4)


def test_refuses_angles_of_more_than_three_axes():
    with pytest.raises(BadInput, match=r"kv_quant.pre_rope needs angles that are positions x inv_freq, .* rad off"):
        PreRope.of(_of_axes(4), torch.device("cpu"))
