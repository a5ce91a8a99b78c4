"""Unrestored: the groups of Strided, left as they were encoded."""

import torch

from intpv.rearranger.strided import Strided
from intpv.rearranger.unrestored import Unrestored


def test_is_strided_left_as_encoded():
    order = Unrestored().order(32, 8)
    assert torch.equal(order, Strided().order(32, 8))
    tokens = torch.arange(32).float().view(4, 8, 1, 1)
    assert torch.equal(Unrestored().merge(tokens, order), tokens.flatten(0, 1))
