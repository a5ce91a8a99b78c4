"""Clipping never costs squared error, keeps its floor, and leaves bytes and everything unclipped as they are."""

from itertools import product

import pytest
import torch

from intpv.errors import BadInput
from intpv.kv_quant import quantiser
from intpv.kv_quant.granularity import PerChannel, PerTensor, PerToken, Temporal
from intpv.kv_quant.kv_quant import KVQuant
from intpv.kv_quant.quantiser import decode, encode, grid, quantise, search

from ..pretended import pretended


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


def _plainly(x, bits, floor, weight=None):
    """The judge: every grid on all groups at once, by what is decoded from what is encoded."""
    low, high = x.aminmax(dim=-1, keepdim=True)
    step, least, found = (high - low) * ((1 - floor) / 4), None, None
    for below, above in product(range(3), repeat=2):
        new = grid(low + below * step, high - above * step, bits, torch.float16)
        error = decode(encode(x, *new, bits), *new).sub_(x).square_().mul_(1 if weight is None else weight)
        error = error.sum(-1, keepdim=True)
        better = torch.ones_like(error, dtype=torch.bool) if least is None else error < least
        found = new if least is None else [torch.where(better, *pair) for pair in zip(new, found, strict=True)]
        least = error if least is None else torch.where(better, error, least)
    return found


def _groups():
    x = torch.randn(3, 75, 32, generator=torch.Generator().manual_seed(0)) ** 3
    x[0, :, 5] = 7.0  # a scale of 0
    x[1, :32] = -0.0
    for granularity in (PerChannel(32), PerToken(16), PerTensor(None), Temporal(4, 15)):
        yield from granularity.split(x)


@pytest.mark.slow
@pytest.mark.parametrize("hot", [1, 100, 2**30])
@pytest.mark.parametrize("bits", [2, 4])
def test_pieces_of_any_size_find_the_same_grids_to_the_bit(monkeypatch, bits, hot):
    monkeypatch.setattr(quantiser, "HOT", hot)
    for x in _groups():
        for weight in (None, torch.rand(x.shape, generator=torch.Generator().manual_seed(1))):
            found = search(x, *x.aminmax(dim=-1, keepdim=True), bits, 0.6, torch.float16, weight)
            assert all(torch.equal(a, b) for a, b in zip(found, _plainly(x, bits, 0.6, weight), strict=True))


def test_so_does_a_gpu(monkeypatch):
    """In one row of groups; here without a compiler, which would add up in another order."""
    monkeypatch.setattr(quantiser, "broken_compiler", lambda device: "pretended")
    for x in _groups():
        expected = _plainly(x, 2, 0.6)
        with pretended():
            there = x.to("meta:0")
            found = search(there, *there.aminmax(dim=-1, keepdim=True), 2, 0.6, torch.float16)
            assert all(torch.equal(a.cpu(), b) for a, b in zip(found, expected, strict=True))


@pytest.mark.slow
def test_the_error_compiles_once_for_groups_of_any_size():
    formula = torch.compile(quantiser._error, dynamic=True, fullgraph=True)
    for groups, members in ((7, 32), (50, 3), (9, 64), (21, 16)):
        x = torch.randn(groups, 1, 1, members)
        scale, zero = grid(*x.aminmax(dim=-1, keepdim=True), 2, torch.float16)
        torch.testing.assert_close(formula(x, scale, zero, 2, None), quantiser._error(x, scale, zero, 2, None))
