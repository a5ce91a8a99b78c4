"""Block-strided: the formula of every shot, and its two ends, which are the other rearrangers."""

import pytest

from intpv.errors import BadInput
from intpv.rearranger.block_strided import BlockStrided
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.strided import Strided


@pytest.mark.parametrize("frames", [8, 24, 32, 72])
@pytest.mark.parametrize("groups", [1, 2, 3, 5])
def test_every_group_strides_through_its_own_shot(frames, groups):
    expected = []
    for start in range(0, frames, 8 * groups):
        stop = min(start + 8 * groups, frames)
        size = (stop - start) // 8
        expected += [list(range(start + first, stop, size)) for first in range(size)]
    assert BlockStrided(groups).order(frames, 8).tolist() == expected


@pytest.mark.parametrize("frames", [8, 16, 64])
def test_its_ends_are_contiguous_and_strided(frames):
    assert BlockStrided(1).order(frames, 8).equal(Contiguous().order(frames, 8))
    assert BlockStrided(frames // 8).order(frames, 8).equal(Strided().order(frames, 8))
    assert BlockStrided(99).order(frames, 8).equal(Strided().order(frames, 8))


@pytest.mark.parametrize(("groups", "shown"), [(0, "0"), (-1, "-1"), (True, "true")])
def test_refuses(groups, shown):
    with pytest.raises(BadInput, match=f"rearranger.groups must be a whole number of at least 1, got {shown}$"):
        BlockStrided(groups)
