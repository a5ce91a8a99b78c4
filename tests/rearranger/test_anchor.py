"""Anchor: the first frame leads every group, and the groups are as few as they can be."""

import pytest
import torch

from intpv.rearranger.anchor import Anchor


@pytest.mark.parametrize(("m", "n"), [(1, 8), (2, 8), (4, 8), (8, 8), (3, 2), (5, 3), (64, 8)])
def test_the_first_frame_leads_groups_that_are_as_few_as_can_be(m, n):
    order = Anchor().order(m * n, n)
    assert order[:, 0].tolist() == [0] * len(order)
    assert (len(order) - 1) * (n - 1) < m * n - 1 <= len(order) * (n - 1)
    assert (order.diff(dim=1) > 0).all()  # in a group time goes on
    assert order[:, 1:].flatten().bincount().max() <= 2


def test_a_group_of_one_has_no_room_for_an_anchor():
    assert Anchor().order(4, 1).tolist() == [[0], [1], [2], [3]]


def test_the_anchors_tokens_are_the_mean_of_all_its_groups():
    order = Anchor().order(16, 8)
    tokens = torch.randn(*order.shape, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    merged = Anchor().merge(tokens, order)
    torch.testing.assert_close(merged[0], tokens[:, 0].mean(0), rtol=0, atol=1e-12)
    for frame in range(16):
        torch.testing.assert_close(merged[frame], tokens[order == frame].mean(0), rtol=0, atol=1e-12)
