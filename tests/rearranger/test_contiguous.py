"""Contiguous: neighbours, in order of time."""

import pytest

from intpv.rearranger.contiguous import Contiguous


@pytest.mark.parametrize("frames", [8, 16, 32, 64])
def test_takes_neighbours(frames):
    assert Contiguous().order(frames, 8).tolist() == [list(range(j, j + 8)) for j in range(0, frames, 8)]
