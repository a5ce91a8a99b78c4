"""Time slots follow the order of frames under `strided`, start over under `contiguous`, and are lost by a shuffle."""

import pytest
import torch
from scipy.stats import kendalltau

from intpv.metrics.signatures.token_order import Slots, neighbour_cosines, seams
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.random import Random
from intpv.rearranger.strided import Strided
from intpv.rearranger.unrestored import Unrestored


def _slots(rearranger, m, n=8):
    return Slots.of(rearranger.order(m * n, n, "v"), rearranger.restore)


@pytest.mark.parametrize("m", [1, 2, 4, 8])
def test_strided_keeps_slots_in_order_and_contiguous_starts_over(m):
    assert _slots(Strided(), m).order == 1
    assert _slots(Contiguous(), m).order == pytest.approx(1 / m)
    assert _slots(Unrestored(), m).order == pytest.approx(1 / m)


@pytest.mark.parametrize("m", [4, 8])
def test_permuted_frames_destroy_it(m):
    assert abs(sum(_slots(Random(seed), m).order for seed in range(5)) / 5) < 0.2
    backwards = Slots(torch.zeros(8, dtype=torch.long), torch.arange(8).flip(0))
    assert backwards.order == -1


def test_without_ties_it_is_kendalls_tau():
    slot = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    want = kendalltau(range(20), slot.numpy()).statistic
    assert Slots(torch.zeros(20, dtype=torch.long), slot).order == pytest.approx(want)


def test_borders_are_where_the_group_changes():
    assert _slots(Contiguous(), 3).borders.nonzero().flatten().tolist() == [7, 15]
    assert _slots(Strided(), 3).borders.all()
    assert not _slots(Strided(), 1).borders.any()


def test_cosines_are_those_of_the_same_patch():
    tokens = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    want = torch.nn.functional.cosine_similarity(tokens[1:], tokens[:-1], dim=-1).mean(1)
    torch.testing.assert_close(neighbour_cosines(tokens), want.double())
    still = tokens[:1].expand(3, -1, -1)
    torch.testing.assert_close(neighbour_cosines(still), torch.ones(2).double())


def test_a_jump_between_groups_is_seen_at_the_seam():
    """Each group adds a constant of its own to all its tokens."""
    slots = _slots(Contiguous(), 2)
    base = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(0)).expand(16, -1, -1)
    shift = torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(1))[slots.group]
    at_borders, inside = seams(base + shift, slots)
    assert inside == pytest.approx(1)
    assert at_borders < 0.9
    assert seams(base, Slots(torch.zeros(16, dtype=torch.long), torch.arange(16)))[0] is None
    assert seams(base, _slots(Strided(), 2))[1] is None
