"""Modern Video-LLMs: watch and ask are the model's own forward; every option runs or says why it does not."""

from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException

from intpv import options
from intpv.cache.hashing import key
from intpv.cache.weights_hash import weights_hash
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant, NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.reversed import Reversed
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.video_llm import VideoLLM

from .families import BUILDERS, OPTIONS, QUESTIONS, clip, family

NAMES = [build.__name__ for build in BUILDERS]
CONF = Path(__file__).parents[2] / "conf"
ROPES = sorted(file.stem for file in (CONF / "rope_strategy").glob("*.yaml"))
POLICIES = sorted(file.stem for file in (CONF / "kv_quant").glob("*.yaml"))
ANY = None
REFUSED = {  # (model, option) -> why it does not run; all else does
    (ANY, "rope_strategy=none"): "rope_strategy=none does not scale: factor must be 1 or auto, got 4.0",
    (ANY, "kv_quant=paper_channel"): "calibration=embedded was calibrated on model mini",
    (ANY, "kv_quant=paper_tensor"): "calibration=embedded was calibrated on model mini",
    ("qwen3_vl", "kv_quant=temporal"): "temporal groups need frames side by side, got 126 tokens of text between",
}
REFUSED |= {
    (model, f"rope_strategy={name}"): f"rope_strategy={name} needs positions of one axis, this model has three"
    for model in ("qwen2_5_vl", "qwen3_vl")
    for name in ("self_extend", "rerope", "dual_chunk", "log_n", "parallel_windows")
}
UNCHANGED = ("kv_quant=none",)  # runs, and changes nothing


def build(model, rope=None, kv=None, rearranger=None) -> VideoLLM:
    return VideoLLM(model, rearranger or Strided(), rope or NoScaling(), kv or NoQuant(), max_new_tokens=1)


option = cache(options.option)  # as Hydra composes it: a policy may build on another


def answered(llm: VideoLLM) -> torch.Tensor:
    """Logits of all questions about 32 frames, twice the same; and everything in the model is as it was."""
    decoder, rotary = llm.model.decoder, llm.model.rotary
    table, values, scaling = rotary.inv_freq, rotary.inv_freq.clone(), rotary.attention_scaling
    attention = decoder.config._attn_implementation
    context = llm.pack(llm.prefill(*looked(llm.model.name)))
    first, second = (torch.stack([a.logits for a in llm.ask(context, QUESTIONS)]) for _ in range(2))
    assert torch.equal(first, second)
    assert rotary.inv_freq is table
    assert torch.equal(table, values)
    assert (rotary.attention_scaling, decoder.config._attn_implementation) == (scaling, attention)
    return first


@cache
def looked(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """32 frames through the tower once, and their times."""
    pixels, times = clip(32, family(name).size)
    return build(family(name).model).look(pixels), times


@cache
def plain(name: str) -> torch.Tensor:
    """Logits with nothing scaled and nothing quantised."""
    return answered(build(family(name).model))


@pytest.mark.parametrize("frames", [8, 32])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_watch_and_ask_are_the_models_own_forward(name, frames):
    known = family(name)
    pixels, times = clip(frames, known.size)
    llm = build(known.model)
    for question, answer in zip(QUESTIONS, llm.ask(llm.watch(pixels, times), QUESTIONS, OPTIONS), strict=True):
        expected = known.one_shot(pixels, times, question)[-1]
        assert expected.std() > 0.1
        torch.testing.assert_close(answer.logits, expected, atol=1e-4, rtol=1e-4)
        assert (expected - known.one_shot(pixels.flip(0), times, question)[-1]).abs().max() > 1e-2  # pictures matter


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_an_options_likelihood_is_the_models_own(name):
    known = family(name)
    llm, (pixels, times) = build(known.model), clip(8, known.size)
    answer = llm.ask(llm.watch(pixels, times), QUESTIONS[:1], OPTIONS[1:])[0]
    for said, loglik in zip(OPTIONS[1], answer.loglik, strict=True):
        ids = known.model.tokenizer(said, add_special_tokens=False).input_ids
        logp = known.one_shot(pixels, times, QUESTIONS[0], answer=ids)[-1 - len(ids) : -1].log_softmax(-1)
        assert loglik == pytest.approx(logp.gather(1, torch.tensor(ids)[:, None]).sum().item(), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice", [f"rope_strategy={name}" for name in ROPES] + [f"kv_quant={name}" for name in POLICIES]
)
@pytest.mark.parametrize("name", NAMES)
def test_every_option_runs_or_says_why_not(name, choice):
    group, chosen = choice.split("=")
    model, fields = family(name).model, {"factor": 4} if group == "rope_strategy" else {}
    part = "rope" if group == "rope_strategy" else "kv"
    if reason := REFUSED.get((name, choice), REFUSED.get((ANY, choice))):
        with pytest.raises((BadInput, InstantiationException), match=reason):
            answered(build(model, **{part: option(group, chosen, **fields)}))
        return
    changed = answered(build(model, **{part: option(group, chosen, **fields)}))
    if choice in UNCHANGED:
        assert torch.equal(changed, plain(name))
    else:
        assert (changed - plain(name)).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("rope", ROPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_is_the_identity_at_factor_one(name, rope):
    model = family(name).model
    assert torch.equal(answered(build(model, rope=option("rope_strategy", rope, factor=1))), plain(name))


@pytest.mark.parametrize("name", NAMES)
def test_no_rearranger_changes_anything_but_one_that_does_not_restore(name):
    model, (pixels, _) = family(name).model, clip(32, family(name).size)
    assert not model.encoder.mixes_time
    strided, chunks, turned = (build(model, rearranger=one) for one in (Strided(), Contiguous(), Reversed()))
    expected = chunks.tokens(chunks.look(pixels))
    torch.testing.assert_close(strided.tokens(strided.look(pixels)), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(turned.tokens(turned.look(pixels)), expected.flip(0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_features_kept_in_another_precision_and_place_are_enough(name):
    """The tower's output is all that a cache keeps."""
    known = family(name)
    llm, (pixels, times) = build(known.model), clip(8, known.size)
    kept = llm.look(pixels).cpu().clone()
    a, b = (llm.ask(llm.pack(llm.prefill(x, times)), QUESTIONS)[0].logits for x in (kept, kept.double().float()))
    assert torch.equal(a, b)
    assert torch.equal(a, llm.ask(llm.watch(pixels, times), QUESTIONS)[0].logits)


def test_what_a_tower_is_makes_a_key_of_its_own():
    encoders = [family(name).model.encoder for name in NAMES]
    described = [key("tower", tower=[one.description, one.tokens_per_frame, one.attention]) for one in encoders]
    assert len({*described, *(weights_hash(one.tower) for one in encoders)}) == 2 * len(NAMES)


@pytest.mark.parametrize("policy", [KVQuant(bits=2, key_group=32, value_group=32, pre_rope=True)])
@pytest.mark.parametrize("name", NAMES)
def test_packed_bytes_are_the_closed_form(name, policy):
    known = family(name)
    context = build(known.model, kv=policy).watch(*clip(32, known.size))
    expected = policy.closed_form_bytes(
        layers=3, kv_heads=1, head_dim=32, length=context.layout.length, element_size=4, layout=context.layout
    )
    assert context.packed.ledger()["total"] == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_told_without_a_video_has_as_many_frames_and_visual_tokens(name):
    known = family(name)
    llm = build(known.model)
    told, seen = llm.prefix_layout(16), llm.watch(*clip(16, known.size)).layout
    assert told.visual_length == seen.visual_length
    assert sum(span.is_frame for span in told.spans) == 16 // known.model.encoder.frames_per_slot


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl"])
def test_nothing_of_a_video_is_left_in_the_model(name):
    """transformers keeps rope_deltas of the last sample; neither are they read here nor written."""
    known = family(name)
    llm, inner = build(known.model), known.model.llm.model
    inner.rope_deltas = stale = torch.tensor([[12345]])
    assert torch.equal(answered(llm), plain(name))
    assert inner.rope_deltas is stale
    inner.rope_deltas = None


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl"])
def test_frames_that_fill_no_slot_are_refused(name):
    with pytest.raises(BadInput, match="frames must be a multiple of 2, which become one slot, got 7"):
        build(family(name).model).watch(*clip(7, family(name).size))
    with pytest.raises(BadInput, match="frames must be a multiple of 8, a group of the tower, got 12"):
        build(family(name).model).watch(*clip(12, family(name).size))


@pytest.mark.parametrize("name", NAMES)
def test_pixels_of_another_size_are_refused(name):
    known = family(name)
    with pytest.raises(BadInput, match=r"the tower takes .* pixels, got 10x10"):
        build(known.model).look(clip(8, (10, 10))[0])
