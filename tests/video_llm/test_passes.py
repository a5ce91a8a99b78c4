"""Passes: tower and decoder in several give what one gives, and take less memory."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from intpv.cost.memory import counting
from intpv.errors import BadInput
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.kv_quant import NoQuant
from intpv.options import option
from intpv.rearranger.random import Random
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.passes import Passes
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

CONF = Path(__file__).parents[2] / "conf"
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


@pytest.mark.parametrize("tokens", [1, 4, 5, 6, 11, 25])
def test_a_pass_of_the_decoder_is_projected_at_once(tokens):
    spanned = max(len({token // 5 for token in run}) for run in Passes(prefill_tokens=tokens).runs(1000 * tokens + 3))
    assert spanned <= Passes(64, tokens).projected(99, 5) <= spanned + 1
    assert Passes(64).projected(99, 5, 2) == 32
    assert Passes().projected(99, 5) == 99


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
    given = video_llm(Passes(prefill_tokens=4)).feed.of_all(
        {"inputs_embeds": torch.zeros(1, 8, 4), "deepstack": None}, 8
    )
    with pytest.raises(BadInput, match=r"prefill_tokens=4: tiny's decoder is given deepstack of the whole video"):
        given(range(0, 4))


# Packed early: every pass attends to the codes of those before it.


EARLY, LATE = Passes(8, 64, pack="early"), Passes(8, 64)
EVERY_ORDER = sorted(file.stem for file in (CONF / "rearranger").glob("*.yaml"))
PRESETS = ["int8", "int4", "int2", "kivi", "k4v2", "best2", "rotate"]


def order_of(name):
    return Random() if name == "random" else option("rearranger", name)  # its seed is the run's, which is not here


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["late", "early"])
@pytest.mark.parametrize("rearranger", EVERY_ORDER)
def test_unquantised_passes_of_every_rearranger_are_the_prefix_of_one(rearranger, pack):
    pixels, times = clip(FRAMES)
    order, tower = order_of(rearranger), FRAMES if rearranger == "stretch" else 16
    whole, passes = (
        video_llm(one, rearranger=order).watch(pixels, times, "cat") for one in (Passes(), Passes(tower, 7, pack=pack))
    )
    for one, other in zip(passes.packed.layers, whole.packed.layers, strict=True):
        (run,), (expected,) = one.runs, other.runs
        torch.testing.assert_close(run.keys.x, expected.keys.x, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(run.values.x, expected.values.x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_unquantised_early_passes_are_the_prefix_of_one_under_every_strategy(strategy):
    rope = option("rope_strategy", strategy)
    answers = [
        llm.ask(llm.watch(*clip(FRAMES)), ["Did red flash?"])[0].logits
        for llm in (video_llm(Passes(), rope), video_llm(EARLY, rope))
    ]
    torch.testing.assert_close(answers[1], answers[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("preset", PRESETS)
def test_early_is_laid_out_as_late_and_equals_it_where_nothing_quantised_was_read(preset):
    """To the byte; codes of the first pass are late's, as are all codes of the first layer, which read no other."""
    kv = option("kv_quant", preset)
    late, early = (video_llm(one, kv=kv).watch(*clip(FRAMES)).packed for one in (LATE, EARLY))
    assert early.ledger() == late.ledger()
    assert (early.length, early.quantised, early.elements) == (late.length, late.quantised, late.elements)
    for index, (one, other) in enumerate(zip(early.layers, late.layers, strict=True)):
        known = late.length if index == 0 else 64
        for (keys, values), (late_keys, late_values) in zip(one.blocks(), other.blocks(), strict=True):
            taken, known = min(known, keys.shape[1]), max(known - keys.shape[1], 0)
            # groups that the first pass cuts off wait for the next one, whose tokens have read codes
            whole = taken if index == 0 or taken == keys.shape[1] else taken - taken % kv.step
            for mine, theirs in ((keys, late_keys), (values, late_values)):
                torch.testing.assert_close(mine[:, :whole], theirs[:, :whole], atol=1e-5, rtol=1e-5)


def test_a_skipped_layer_stays_as_it_is_early_too():
    kv = option("kv_quant", "int2", skip_layers=[0])  # the first layer reads no other's codes
    late, early = (video_llm(one, kv=kv).watch(*clip(FRAMES)).packed for one in (LATE, EARLY))
    assert early.ledger() == late.ledger()
    for mine, theirs in zip(*(zip(*one.layers[0].blocks(), strict=True) for one in (early, late)), strict=True):
        torch.testing.assert_close(torch.cat(mine, 1), torch.cat(theirs, 1), atol=1e-5, rtol=1e-5)


def test_early_codes_are_other_numbers_and_the_fewer_bits_the_more():
    off = {}
    for preset in ("int8", "int2"):
        kv = option("kv_quant", preset)
        late, early = (video_llm(one, kv=kv).watch(*clip(FRAMES)).packed.layers[-1] for one in (LATE, EARLY))
        off[preset] = sum(
            float((one[1] - other[1]).norm()) for one, other in zip(early.blocks(), late.blocks(), strict=True)
        )
    assert 0 < off["int8"] < off["int2"]


def test_one_pass_packed_early_is_late_to_the_bit():
    kv = option("kv_quant", "int2")
    late, early = (
        video_llm(one, kv=kv).watch(*clip(FRAMES)).packed
        for one in (Passes(), Passes(prefill_tokens=9999, pack="early"))
    )
    for one, other in zip(early.layers, late.layers, strict=True):
        for pair, expected in zip(one.blocks(), other.blocks(), strict=True):
            assert all(map(torch.equal, pair, expected))


@pytest.mark.slow
def test_watching_early_needs_no_more_for_a_longer_video():
    """Beside the packed prefix, features, which wait on the host, and an angle of 4 bytes for each token and pair."""
    beside, model = {}, tiny_model()
    for frames in (256, 1024):  # from 1,024 tokens on what is packed is read in pieces
        llm = VideoLLM(
            model,
            Strided(),
            NoScaling(),
            option("kv_quant", "int2", decode="eager"),
            passes=Passes(64, 256, pack="early"),
        )
        pixels, times = clip(frames)
        features = llm.look(pixels)
        with counting(torch.device("cpu")) as count:
            context = llm.read(features, times)
        assert context.packed.ledger()["total"] <= count.held
        beside[frames] = count.peak - count.held - 4 * 16 * context.layout.length
    assert beside[1024] < 1.2 * beside[256]


@pytest.mark.parametrize(
    ("passes", "settings", "said"),
    [
        ({"pack": "soon"}, {}, "passes.pack must be late or early, got soon"),
        ({"pack": "early"}, {}, "pack=early packs after every pass of a prefill, got passes.prefill_tokens=null"),
        ({"pack": "early", "prefill_tokens": 8}, {"kv": "temporal"}, "key_granularity=temporal .* makes one of frames"),
        (
            {"pack": "early", "prefill_tokens": 8},
            {"kv_evict": option("kv_evict", "window", tokens=40)},
            "passes.pack=early packs tokens once and for all, kv_evict=window takes some out again",
        ),
    ],
)
def test_what_cannot_be_packed_early_is_refused(passes, settings, said):
    with pytest.raises(BadInput, match=said):
        VideoLLM(
            tiny_model(),
            Strided(),
            NoScaling(),
            option("kv_quant", settings.get("kv", "none")),
            passes=Passes(**passes),
            kv_evict=settings.get("kv_evict", NoEvict()),
        )
