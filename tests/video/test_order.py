"""Order of frames: permutations that every machine agrees on, applied after the cache and before the tower."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from intpv.cache.cache import Cache
from intpv.data.benchmark import VideoItem
from intpv.inference.viewing import Viewer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video.reader import VideoReader
from intpv.video.sampling import ORDERS, shuffled
from intpv.video_llm.video_llm import VideoLLM
from tests.tiny import tiny_model

FRAMES = 16


@given(st.sampled_from(sorted(ORDERS)), st.integers(1, 200), st.integers(0, 9), st.text(max_size=9))
def test_each_is_a_permutation_with_an_inverse(name, frames, seed, video):
    order = torch.tensor(ORDERS[name](frames, seed, video))
    there = torch.arange(frames)[order]
    assert torch.equal(there[order.argsort()], torch.arange(frames))


def test_ordered_moves_nothing_and_reversed_twice_neither():
    assert ORDERS["ordered"](9, 0, "v") == list(range(9))
    backwards = ORDERS["reversed"](9, 0, "v")
    assert backwards[0] == 8
    assert [backwards[place] for place in backwards] == list(range(9))


def test_a_shuffle_is_one_per_seed_and_video():
    drawn = {(seed, video): tuple(shuffled(32, seed, video)) for seed in (0, 1) for video in ("a", "b")}
    assert len(set(drawn.values())) == 4
    assert all(tuple(shuffled(32, *key)) == order for key, order in drawn.items())
    # no place keeps its frame, or avoids it: over many videos a frame stays in one of F
    stays = sum(place == frame for video in range(300) for place, frame in enumerate(shuffled(32, 0, str(video))))
    assert 200 < stays < 400


@pytest.fixture(scope="module")
def llm():
    return VideoLLM(tiny_model(), Strided(), NoScaling(), NoQuant())


@pytest.fixture
def item(short_clip):
    return VideoItem("clip", str(short_clip), ())


@pytest.fixture
def viewer(llm, tmp_path):
    """order of frames -> what views a video with it; all share one cache."""
    cache = Cache(tmp_path / "cache")
    return lambda order, **settings: Viewer(llm, VideoReader(order=order, **settings), cache, FRAMES)


def test_the_tower_sees_the_permuted_frames_and_is_told_ascending_times(llm, item, viewer):
    frames, plain = viewer("ordered").frames(item), viewer("ordered").view(item)
    assert torch.equal(plain.features, llm.look(frames.pixels, item.id))
    for order in ("shuffled", "reversed"):
        seen, places = viewer(order).view(item), ORDERS[order](FRAMES, 0, item.id)
        assert torch.equal(seen.features, llm.look(frames.pixels[places], item.id))
        assert seen.indices == tuple(frames.indices[place] for place in places)
        assert torch.equal(seen.timestamps, frames.timestamps)
        assert not torch.equal(seen.features, plain.features)


def test_the_cache_holds_the_frames_once_and_the_tower_outputs_of_every_order(item, viewer):
    for order in ORDERS:
        viewer(order).view(item)
    counts = viewer("ordered").cache.counts()
    assert counts["frames"]["computed"] == 1
    assert counts["tower"]["computed"] == 3
    assert viewer("shuffled").view(item).fetched
    assert not viewer("shuffled", seed=1).view(item).fetched


def test_frames_at_hand_and_frames_from_the_cache_are_shown_alike(item, viewer, llm, tmp_path):
    backwards = viewer("reversed")
    at_hand = backwards.view(item, backwards.frames(item))
    fresh = Viewer(llm, VideoReader(order="reversed"), Cache(tmp_path / "other"), FRAMES).view(item)
    assert torch.equal(at_hand.features, fresh.features)
    assert at_hand.indices == fresh.indices


def test_a_still_video_has_tokens_that_differ_by_slot_alone(llm):
    """What the tower makes of nothing that moves: its time slots show, and nothing else of the time does."""
    still = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8).expand(FRAMES, -1, -1, -1)
    tokens = llm.tokens(llm.look(still, "still"), "still")  # strided: slot k of group j is frame 2 k + j
    by_slot = tokens.unflatten(0, (8, FRAMES // 8))
    assert torch.allclose(by_slot[:, 0], by_slot[:, 1], atol=1e-6)
    assert (by_slot[0] - by_slot[1]).abs().max() > 1e-4
