"""Clipping never costs squared error, keeps its floor, and leaves bytes and everything unclipped as they are."""

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant.affine import decode
from intpv.kv_quant.kv_quant import KVQuant
from intpv.kv_quant.quantiser import quantise


def _error(x, bits, clip):
    codes, scale, zero = quantise(x, bits, clip)
    return (decode(codes, scale.unsqueeze(-1), zero.unsqueeze(-1)) - x).square().sum(-1)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", [torch.randn, torch.rand, lambda *s: torch.randn(*s) ** 3, torch.zeros])
def test_no_group_has_more_squared_error(kind, bits):
    x = kind(2, 3, 50, 64)
    previous = _error(x, bits, 1.0)
    for clip in (0.9, 0.6, 0.2):
        assert (_error(x, bits, clip) <= previous * (1 + 1e-5)).all() or clip < 0.9  # a lower floor tries other places
        assert (_error(x, bits, clip) <= _error(x, bits, 1.0) * (1 + 1e-5)).all()


def test_two_bits_of_a_bell_curve_lose_a_fifth_of_the_error():
    x = torch.randn(1, 1, 500, 64)
    assert _error(x, 2, 0.6).sum() < 0.8 * _error(x, 2, 1.0).sum()


@pytest.mark.parametrize("floor", [0.9, 0.7])
def test_every_grid_keeps_the_floor(floor):
    x = torch.randn(1, 2, 100, 64) ** 3
    _, scale, zero = quantise(x, 2, floor)
    low, high = x.aminmax(dim=-1)
    kept = 3 * scale.float() / (high - low)
    assert (kept >= floor - 1e-3).all()
    assert (kept < 1).any()
    assert (zero.float() <= low + (1 - floor) / 2 * (high - low) + 1e-3).all()


def test_the_same_grid_every_time():
    x = torch.randn(1, 2, 30, 64)
    assert all(torch.equal(a, b) for a, b in zip(quantise(x, 2, 0.8), quantise(x, 2, 0.8), strict=True))


@pytest.mark.parametrize("side", ["key", "value"])
@pytest.mark.parametrize("clip", [0.0, -1.0, 1.01, float("nan")])
def test_refuses_a_share_that_is_none(side, clip):
    with pytest.raises(BadInput, match=f"kv_quant.{side}_clip must be over 0 and at most 1, got {clip}"):
        KVQuant(bits=2, key_group=32, value_group=32, **{f"{side}_clip": clip})
