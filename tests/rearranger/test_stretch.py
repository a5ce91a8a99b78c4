"""Stretch: one group, whatever the tower's group length."""

import pytest

from intpv.rearranger.stretch import Stretch


@pytest.mark.parametrize("frames", [8, 16, 32, 64])
def test_is_one_group_of_all_frames(frames):
    assert Stretch().order(frames, 8).tolist() == [list(range(frames))]
