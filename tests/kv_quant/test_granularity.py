"""Groups are a partition: split and join lose nothing, and a grid spreads back over just the members of its group."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.kv_quant.granularity import PerChannel, PerTensor, PerToken, Temporal
from intpv.kv_quant.quantiser import decode, quantise
from intpv.kv_quant.stored import Codes

shapes = st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(1, 5), st.sampled_from([4, 8, 16]))


def _granularities(head_dim, group, frame):
    divisor = next(g for g in (8, 4) if head_dim % g == 0)
    return [
        PerTensor(None),
        PerChannel(group),
        PerChannel(None),
        PerToken(divisor),
        PerToken(None),
        Temporal(group, frame),
        Temporal(None, frame),
    ]


@settings(max_examples=60, deadline=None)
@given(shape=shapes, group=st.integers(1, 12))
def test_split_and_join_and_count(shape, group):
    heads, frames, frame, d = shape
    x = torch.arange(heads * frames * frame * d).view(heads, -1, d)
    for granularity in _granularities(d, group, frame):
        parts = granularity.split(x)
        assert torch.equal(granularity.join(parts, heads, d), x)
        assert sum(part[..., 0].numel() for part in parts) == granularity.count(heads, frames * frame, d)


@settings(max_examples=60, deadline=None)
@given(shape=shapes, group=st.integers(1, 12), start=st.integers(0, 40), length=st.integers(1, 60))
def test_a_grid_spreads_over_the_members_of_its_groups(shape, group, start, length):
    """Tokens that are named by their group are each other's and nobody else's."""
    heads, frames, frame, d = shape
    tokens = frames * frame
    start = min(start, tokens - 1)
    stop = min(start + length, tokens)
    for granularity in _granularities(d, group, frame):
        parts = granularity.split(torch.zeros(heads, tokens, d))
        names = torch.arange(granularity.count(heads, tokens, d))
        grids, first = [], 0
        for part in parts:
            grids.append(names[first : first + part[..., 0].numel()].view(part.shape[:3]))
            first += part[..., 0].numel()
        labelled = [grid.unsqueeze(-1).expand_as(part) for grid, part in zip(grids, parts, strict=True)]
        want = granularity.join(labelled, heads, d)[:, start:stop]
        assert torch.equal(granularity.spread(torch.cat(grids, 1), start, stop).expand_as(want), want)


@settings(max_examples=30, deadline=None)
@given(shape=shapes, group=st.integers(1, 12), bits=st.sampled_from([2, 4, 8]))
def test_error_is_at_most_half_a_step_of_its_own_group(shape, group, bits):
    heads, frames, frame, d = shape
    x = torch.randn(heads, frames * frame, d) * torch.rand(d) * 10
    for granularity in _granularities(d, group, frame):
        codes = Codes.of(x, bits, granularity)
        scale = granularity.spread(codes.scale, 0, x.shape[1]).float()
        assert ((codes.piece(0, x.shape[1]) - x).abs() <= scale / 2 + 1e-5).all()


@pytest.mark.parametrize("group", [1, 5, 32, 100])
@pytest.mark.parametrize("tokens", [1, 31, 64, 70])
@pytest.mark.parametrize("clip", [1.0, 0.8])
def test_ragged_last_group_has_its_true_length(group, tokens, clip):
    keys = torch.randn(2, tokens, 16)
    stored = Codes.of(keys, 4, PerChannel(group), clip=clip)
    assert stored.scale.shape == stored.zero.shape == (2, -(-tokens // group), 16)
    restored = stored.piece(0, tokens)
    for index, run in enumerate(keys.split(group, dim=1)):
        codes, scale, zero = quantise(run.mT.unsqueeze(1), 4, clip)
        assert torch.equal(stored.scale[:, index], scale[:, 0])
        alone = decode(codes, scale.unsqueeze(-1), zero.unsqueeze(-1)).squeeze(1).mT
        assert torch.equal(restored[:, index * group : index * group + run.shape[1]], alone)


@pytest.mark.parametrize("piece", [1, 7, 32, 70])
def test_pieces_dequantise_as_the_whole(piece):
    x = torch.randn(2, 70, 16)
    for granularity in _granularities(16, 32, 5):
        stored = Codes.of(x, 4, granularity)
        pieces = [stored.piece(start, start + piece) for start in range(0, 70, piece)]
        assert torch.equal(torch.cat(pieces, 1), stored.piece(0, 70))


def _error(x, granularity):
    return Codes.of(x, 2, granularity).piece(0, x.shape[1]) - x


def test_what_shares_no_scale_may_differ_in_size():
    x = torch.randn(2, 64, 16)
    channels, tokens, patches = torch.logspace(0, 2, 16), torch.logspace(0, 3, 64)[:, None], torch.logspace(0, 2, 4)
    for granularity, louder in (
        (PerChannel(32), channels),
        (PerToken(16), tokens),
        (Temporal(16, 4), channels * patches.repeat(16)[:, None]),
    ):
        assert (_error(x * louder, granularity) / louder).norm() < 1.02 * _error(x, granularity).norm()
        assert (_error(x * louder, PerTensor(None)) / louder).norm() > 2 * _error(x, PerTensor(None)).norm()


def test_a_still_video_costs_no_error_along_time():
    still = torch.randn(2, 1, 5, 16).half().float().expand(2, 12, 5, 16).reshape(2, 60, 16)
    assert torch.equal(Codes.of(still, 2, Temporal(4, 5)).piece(0, 60), still)
    assert not torch.allclose(Codes.of(still, 2, PerChannel(4)).piece(0, 60), still, atol=1e-2)


def test_refusals_name_both_values():
    with pytest.raises(BadInput, match=r"kv_quant\.value_group must divide the head dim 16, got 12"):
        PerToken(12).check("value", 16)
    with pytest.raises(BadInput, match=r"kv_quant\.key_group must be null when key_granularity is tensor, got 32"):
        PerTensor(32).check("key", 16)
