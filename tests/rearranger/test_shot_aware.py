"""Shot-aware: cuts are found where they are made, groups keep to their shot, and its ends are the other rearrangers."""

import pytest
import torch

from intpv.encoder.languagebind import LanguageBind
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.shot_aware import ShotAware
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import tiny_model


def shots(*lengths, noise=4):
    """Frames of one picture a shot, and a little noise."""
    generator = torch.Generator().manual_seed(len(lengths))
    pictures = [torch.randint(0, 200, (3, 16, 16), generator=generator).float() for _ in lengths]
    pictures = [picture * (0.2 + 0.8 * (index % 2)) for index, picture in enumerate(pictures)]
    frames = torch.stack([pictures[shot] for shot, length in enumerate(lengths) for _ in range(length)])
    return (frames + noise * torch.rand(frames.shape, generator=generator)).to(torch.uint8)


@pytest.mark.parametrize("lengths", [(10, 22), (3, 2, 27), (8, 8, 8, 8), (1, 31), (31, 1)])
def test_cuts_are_found_where_they_are_made(lengths):
    begins = torch.tensor(lengths).cumsum(0)[:-1].tolist()
    assert ShotAware().cuts(shots(*lengths)) == begins


def test_a_slow_fade_is_no_cut():
    fade = torch.linspace(0, 240, 32).to(torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16)
    assert ShotAware().cuts(fade) == []


@pytest.mark.parametrize(("lengths", "borders"), [((16, 16), [16]), ((10, 22), [8]), ((14, 18), [16]), ((3, 29), [])])
def test_every_group_strides_through_its_shot_whose_border_is_the_nearest_groups(lengths, borders):
    order = ShotAware().order_of(shots(*lengths), 8)
    expected = []
    for start, stop in zip([0, *borders], [*borders, 32], strict=True):
        size = (stop - start) // 8
        expected += [list(range(start + first, stop, size)) for first in range(size)]
    assert order.tolist() == expected


def test_without_a_cut_it_is_strided_and_with_one_at_every_group_contiguous():
    assert ShotAware().order_of(shots(32), 8).equal(Strided().order(32, 8))
    assert ShotAware().order_of(shots(8, 8, 8, 8), 8).equal(Contiguous().order(32, 8))


@pytest.mark.parametrize("passes", [Passes(), Passes(16, 50)])
@pytest.mark.parametrize("lengths", [(16, 16), (32,), (8, 24)])
def test_a_watched_video_is_that_of_its_table_fed_by_hand(lengths, passes):
    """The tower by itself on the groups, tokens put back by the table; the decoder knows only contiguous frames."""
    model, pixels = tiny_model(), shots(*lengths)
    assert isinstance(model.encoder, LanguageBind)
    llm = VideoLLM(model, ShotAware(), NoScaling(), NoQuant(), passes=passes)
    order = ShotAware().order_of(pixels, 8)
    with torch.inference_mode():
        encoded = model.encoder(model.preprocess.normalise(pixels)[order])
        expected = encoded.flatten(0, 1)[order.flatten().argsort()]
        torch.testing.assert_close(llm.tokens(llm.look(pixels)), expected, atol=1e-5, rtol=1e-5)
    assert llm.watch(pixels, torch.arange(32) / 2.0).layout.visual_length == 32 * 5


@pytest.mark.parametrize(("given", "shown"), [(0, "0"), (-1, "-1"), (float("nan"), "nan")])
def test_a_prominence_that_is_none_is_refused(given, shown):
    with pytest.raises(BadInput, match=rf"rearranger\.prominence must be a number of grey levels over 0, got {shown}$"):
        ShotAware(given)


def test_other_counts_are_refused():
    with pytest.raises(BadInput, match="must be a multiple of 8, the tower's group length, got 12"):
        ShotAware().order_of(shots(12), 8)
