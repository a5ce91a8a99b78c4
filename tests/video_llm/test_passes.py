"""Passes: tower and decoder in several give what one gives, and take less memory."""

from dataclasses import replace

import pytest
import torch

from intpv.cost.memory import counting
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import NoQuant
from intpv.options import option
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

FRAMES = 32
STRATEGIES = ("none", "linear", "ntk", "yarn", "visual_only")


def video_llm(passes, rope=None, kv=None, rearranger=None):
    return VideoLLM(tiny_model(), rearranger or Strided(), rope or NoScaling(), kv or NoQuant(), 2, passes=passes)


@pytest.mark.parametrize("rearranger", ["strided", "contiguous", "overlap", "stretch", "reversed", "unrestored"])
def test_the_tower_in_passes_gives_the_same_features(rearranger):
    order, pixels = option("rearranger", rearranger), clip(FRAMES)[0]
    if rearranger == "stretch":  # one group of all frames
        assert torch.equal(*(video_llm(Passes(one), rearranger=order).look(pixels) for one in (None, FRAMES)))
        return
    whole, parts = (video_llm(Passes(frames), rearranger=order).look(pixels) for frames in (None, 16))
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-5)


def test_a_prefix_is_cut_into_runs_the_last_of_which_may_be_shorter():
    assert Passes(prefill_tokens=4).runs(10) == [range(0, 4), range(4, 8), range(8, 10)]
    assert Passes().runs(10) == [range(0, 10)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("tokens", [7, 64])
def test_the_prefix_in_passes_is_that_of_one(strategy, tokens):
    pixels, times = clip(FRAMES)
    made = [
        video_llm(Passes(prefill_tokens=one), option("rope_strategy", strategy)).prefill(
            video_llm(Passes()).look(pixels), times
        )
        for one in (None, tokens)
    ]
    for (keys, values), (whole_keys, whole_values) in zip(made[1].layers, made[0].layers, strict=True):
        torch.testing.assert_close(keys, whole_keys, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(values, whole_values, atol=1e-5, rtol=1e-5)


def test_a_strategy_that_changes_attention_is_refused_by_name():
    llm = video_llm(Passes(prefill_tokens=16), option("rope_strategy", "self_extend"))
    with pytest.raises(BadInput, match=r"rope_strategy=self_extend reads a prefix at once, .*prefill_tokens=16"):
        llm.watch(*clip(FRAMES))


def test_what_was_read_in_passes_is_packed_and_asked_like_any_prefix():
    pixels, times = clip(FRAMES)
    answers = [
        replace(one, kv_quant=option("kv_quant", "int8")).ask(
            replace(one, kv_quant=option("kv_quant", "int8")).watch(pixels, times), ["Did red flash?"]
        )[0]
        for one in (video_llm(Passes()), video_llm(Passes(8, 16)))
    ]
    torch.testing.assert_close(answers[1].logits, answers[0].logits, atol=1e-3, rtol=1e-3)


def test_the_tower_needs_no_more_for_a_longer_video():
    """Beside pixels and features, which grow with the video."""
    beside = {}
    for frames in (32, 128):
        llm, pixels = video_llm(Passes(tower_frames=8)), clip(frames)[0]
        with counting(torch.device("cpu")) as count:
            features = llm.look(pixels)
        beside[frames] = count.peak - count.held - 2 * features.nbytes - 2 * pixels.nbytes
    assert beside[128] < 1.2 * max(beside[32], 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tower_frames": 12}, "passes.tower_frames must be a multiple of 8, a group, got 12"),
        ({"tower_frames": 0}, "passes.tower_frames must be a whole number of at least 1 or null, got 0"),
        ({"prefill_tokens": 0}, "passes.prefill_tokens must be a whole number of at least 1 or null, got 0"),
    ],
)
def test_what_cannot_be_done_is_refused_with_both_numbers(settings, said):
    with pytest.raises(BadInput, match=said):
        video_llm(Passes(**settings)).look(clip(FRAMES)[0])


def test_a_decoder_that_is_given_more_than_embeddings_is_refused_by_name():
    llm = video_llm(Passes(prefill_tokens=4))
    with pytest.raises(BadInput, match=r"prefill_tokens=4: tiny's decoder is given deepstack of the whole video"):
        llm._part({"inputs_embeds": torch.zeros(1, 8, 4), "deepstack": None}, range(0, 4))
