"""Reversed: tower and LLM both see the last frame first."""

import pytest
import torch

from intpv.rearranger.reversed import Reversed


@pytest.mark.parametrize("frames", [8, 16, 32, 64])
def test_plays_backwards_to_tower_and_llm(frames):
    order = Reversed().order(frames, 8)
    video = torch.arange(frames).float().view(-1, 1, 1)
    groups = Reversed().split(video, order)
    assert groups.shape[:2] == (frames // 8, 8)
    assert torch.equal(groups.flatten(0, 1), video.flip(0))
    assert torch.equal(Reversed().merge(groups, order), video.flip(0))
