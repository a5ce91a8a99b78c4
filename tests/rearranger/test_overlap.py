"""Overlap: groups of neighbours that share half of them, and the mean of what is seen twice."""

import pytest
import torch

from intpv.rearranger.overlap import Overlap


@pytest.mark.parametrize(("m", "n"), [(1, 8), (2, 8), (8, 8), (3, 2), (3, 5), (4, 1)])
def test_groups_are_neighbours_half_a_group_apart(m, n):
    order = Overlap().order(m * n, n)
    assert len(order) == 2 * m - 1
    assert (order.diff(dim=1) == 1).all()
    assert order[::2].flatten().tolist() == list(range(m * n))  # the contiguous ones
    assert set(order[:, 0].diff().tolist()) <= {n // 2, n - n // 2}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_seen_twice_is_averaged_the_ends_are_as_they_are(dtype):
    order = Overlap().order(16, 8)
    tokens = torch.randn(*order.shape, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    merged = Overlap().merge(tokens, order)
    assert merged.dtype == dtype
    assert torch.equal(merged[:4], tokens[0, :4])
    assert torch.equal(merged[12:], tokens[2, 4:])
    torch.testing.assert_close(merged[4:8], ((tokens[0, 4:].float() + tokens[1, :4].float()) / 2).to(dtype))
    torch.testing.assert_close(merged[8:12], ((tokens[1, 4:].float() + tokens[2, :4].float()) / 2).to(dtype))
