"""Every number is counted once in the bin that holds it, whatever the pieces and their order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intpv.kv_quant.calibration import Histogram

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40)


def _of(x, bins):
    return Histogram.of(x, bins)


def _equal(a, b):
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("counts", "exponent", "first"))


@settings(max_examples=40, deadline=None)
@given(values=numbers, bins=st.integers(2, 70))
def test_every_bin_holds_what_lies_between_its_edges(values, bins):
    x = torch.tensor(values, dtype=torch.float64)
    histogram = _of(x, bins)
    width, first = 2.0 ** int(histogram.exponent), int(histogram.first)
    for index, count in enumerate(histogram.counts.tolist()):
        low = (first + index) * width
        assert count == ((x >= low) & (x < low + width)).sum()
    assert histogram.counts.sum() == len(values)
    assert torch.equal(histogram.centres(), (first + torch.arange(bins).double() + 0.5) * width)


@settings(max_examples=40, deadline=None)
@given(pieces=st.lists(numbers, min_size=2, max_size=5), bins=st.integers(2, 40))
def test_pieces_come_to_the_whole_exactly(pieces, bins):
    whole = torch.tensor([x for piece in pieces for x in piece], dtype=torch.float64)
    for order in (pieces, pieces[::-1]):
        tensors = [torch.tensor(piece, dtype=torch.float64) for piece in order]
        merged, seen = _of(tensors[0], bins), tensors[0]
        for piece in tensors[1:]:
            seen = torch.cat([seen, piece])
            merged = merged.merge(_of(piece, bins), seen.amin(), seen.amax())
        assert _equal(merged, _of(whole, bins))


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e4])
def test_most_bins_are_used_whatever_the_scale(scale):
    counts = _of(torch.rand(3, 5000) * scale, 64).counts
    used = (counts > 0).sum(-1)
    assert (used >= 32).all()


@pytest.mark.parametrize("value", [0.0, 1.0, -3.3e4])
def test_a_constant_is_one_bin(value):
    histogram = _of(torch.full((2, 9), value), 8)
    assert torch.equal((histogram.counts > 0).sum(-1), torch.ones(2, dtype=torch.long))
    assert histogram.counts.amax() == 9
