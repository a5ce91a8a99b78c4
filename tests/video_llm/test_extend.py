"""Extending: a transformers Video-LLM with its own generate, against transformers itself."""

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    DynamicCache,
    LlamaConfig,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    Qwen2Config,
    SiglipVisionConfig,
)

import intpv
from intpv.errors import BadInput
from intpv.hf.cache import handed
from intpv.kv_quant.kv_quant import NoQuant
from intpv.model.loading.hub import spread
from intpv.options import option
from intpv.rearranger.contiguous import Contiguous
from intpv.video_llm.placeholders import NAMES
from intpv.video_llm.video_llm import VideoLLM

from ..model.families import QUESTIONS, clip, family, qwen_patches
from ..pretended import pretended

TEXT = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 32}
TEXT |= {"num_key_value_heads": 1, "vocab_size": 64, "max_position_embeddings": 512}
VISION = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VIDEO, BEFORE, AFTER = 60, [1, 5, 6], [7, 8, 9, 10]  # the placeholder's id, and the prompt around it


def llava_next_video():
    config = LlavaNextVideoConfig(
        vision_config=CLIPVisionConfig(**VISION, image_size=32, patch_size=8),
        text_config=LlamaConfig(**TEXT),
        video_token_index=VIDEO,
        image_token_index=61,
        image_grid_pinpoints=[[32, 32]],
        vision_feature_layer=-2,
        spatial_pool_stride=2,
    )
    return LlavaNextVideoForConditionalGeneration(config), 4, 0  # tokens per frame, tokens after the last


def llava_onevision():
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(**VISION, image_size=32, patch_size=8),
        text_config=Qwen2Config(**TEXT),
        video_token_index=VIDEO,
        image_token_index=61,
        image_grid_pinpoints=[[32, 32]],
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    return LlavaOnevisionForConditionalGeneration(config), 4, 1


@pytest.fixture(params=[llava_next_video, llava_onevision], ids=lambda make: make.__name__)
def loaded(request):
    torch.manual_seed(0)
    model, per_frame, closing = request.param()
    with torch.no_grad():
        for parameter in model.parameters():  # at transformers' own 0.02 nothing attends to anything
            parameter.normal_(std=0.3)

    def inputs(frames: int) -> dict:
        ids = [*BEFORE, *[VIDEO] * (frames * per_frame + closing), *AFTER]
        generator = torch.Generator().manual_seed(frames)
        pixels = torch.randn(1, frames, 3, 32, 32, generator=generator)
        return {"input_ids": torch.tensor([ids]), "pixel_values_videos": pixels}

    return model.eval(), inputs


def own_answer(model, inputs: dict, count: int = 4) -> tuple[torch.Tensor, list[torch.Tensor]]:
    options = {
        "max_new_tokens": count,
        "min_new_tokens": count,
        "do_sample": False,
        "output_logits": True,
        "return_dict_in_generate": True,
        "suppress_tokens": sorted({getattr(model.config, name, None) for name in NAMES} - {None}),  # random weights
    }
    out = model.generate(**inputs, **options, attention_mask=torch.ones_like(inputs["input_ids"]))
    return out.sequences, list(out.logits)


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("rope", ["none", "yarn", "visual_only"])
def test_at_the_trained_length_nothing_changes(loaded, rope):
    model, inputs = loaded
    sequences, logits = own_answer(model, inputs(8))
    with intpv.extend(model, frames=8, trained_frames=8, rope=rope):
        extended, ours = own_answer(model, inputs(8))
    assert torch.equal(sequences, extended)
    assert same(ours, logits)


def test_a_forward_gives_the_logits_of_every_token(loaded):
    model, inputs = loaded
    with torch.no_grad():
        expected = model(**inputs(8)).logits
        with intpv.extend(model, frames=8):
            assert torch.allclose(model(**inputs(8)).logits, expected, atol=1e-4)


def test_scaled_positions_equal_one_forward_under_the_same_table(loaded):
    model, inputs = loaded
    given, decoder = inputs(32), model.get_decoder()
    with intpv.extend(model, frames=32, trained_frames=8, rope="yarn") as extended:
        _, ours = own_answer(model, given, 1)
    context, rotary = extended.context, decoder.rotary_emb
    assert context.factor == pytest.approx(4, rel=0.01)
    # the judge: the model's own forward, its table exchanged for the strategy's
    yarn, table = option("rope_strategy", "yarn"), rotary.inv_freq
    rotary.inv_freq = yarn.inv_freq(context.geometry, context.factor)
    rotary.attention_scaling = yarn.attention_scale(context.factor)
    with torch.no_grad():
        mask = torch.ones_like(given["input_ids"])
        expected = model(**given, attention_mask=mask).logits[:, -1]
    rotary.inv_freq, rotary.attention_scaling = table, 1.0
    assert same(ours, [expected])
    assert not same(own_answer(model, given, 1)[1], ours)


def test_a_quantised_prefix_is_in_the_first_token_already(loaded):
    model, inputs = loaded
    given, decoder = inputs(16), model.get_decoder()
    with intpv.extend(model, frames=16, kv="int2") as extended:
        _, ours = own_answer(model, given, 1)
    # the judge: a prefix of transformers' own, its keys and values replaced by the dequantised ones
    length = extended.context.layout.length
    seen = {}
    hook = decoder.register_forward_pre_hook(lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True)
    cache = DynamicCache()
    with torch.no_grad():
        model(**given)
        hook.remove()
        embeddings = seen["inputs_embeds"]
        decoder(inputs_embeds=embeddings[:, :length], **handed(decoder, cache), use_cache=True)
        for layer, packed in zip(cache.layers, extended.context.packed.layers, strict=True):
            keys, values = (torch.cat(parts, 1)[None] for parts in zip(*packed.blocks(), strict=True))
            assert not torch.equal(keys, layer.keys)
            layer.keys, layer.values = keys, values
        hidden = decoder(inputs_embeds=embeddings[:, length:], **handed(decoder, cache), use_cache=True)
        expected = model.get_output_embeddings()(hidden.last_hidden_state[:, -1])
    assert same(ours, [expected])
    assert not same(own_answer(model, given, 1)[1], ours)


@pytest.mark.parametrize("kv", ["none", "int8"])
def test_a_question_is_answered_from_what_each_layer_keeps(loaded, kv):
    model, inputs = loaded
    given, decoder, rule = inputs(16), model.get_decoder(), option("kv_evict", "window", tokens=24)
    with intpv.extend(model, frames=16, kv=kv, kv_evict=rule) as extended:
        _, ours = own_answer(model, given, 1)
    packed, length = extended.context.packed, extended.context.layout.length
    assert packed.kept.sum(1).tolist() == [24] * len(packed.layers)
    # the judge: a prefix of transformers' own, left to itself and then replaced by what is kept
    seen = {}
    hook = decoder.register_forward_pre_hook(lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True)
    cache = DynamicCache()
    with torch.no_grad():
        model(**given)
        hook.remove()
        embeddings = seen["inputs_embeds"]
        decoder(inputs_embeds=embeddings[:, :length], **handed(decoder, cache), use_cache=True)
        for layer, one, kept in zip(cache.layers, packed.layers, packed.kept, strict=True):
            keys, values = (torch.cat(parts, 1)[None] for parts in zip(*one.blocks(), strict=True))
            torch.testing.assert_close(keys, layer.keys[:, :, kept], atol=0.05 if kv == "int8" else 0, rtol=0)
            layer.keys, layer.values = keys.to(layer.keys.dtype), values.to(layer.values.dtype)
        places = torch.arange(length, embeddings.shape[1])[None]
        mask = torch.ones(1, 24 + places.shape[1])
        out = decoder(
            inputs_embeds=embeddings[:, length:], position_ids=places, attention_mask=mask, **handed(decoder, cache)
        )
        expected = model.get_output_embeddings()(out.last_hidden_state[:, -1])
    assert same(ours, [expected])


def test_a_cap_below_the_text_is_refused_when_the_video_is_known(loaded):
    model, inputs = loaded
    with (
        intpv.extend(model, frames=16, kv_evict=option("kv_evict", "window", tokens=1)),
        pytest.raises(BadInput, match=r"kv_evict\.tokens must be at least the prefix' text, .*got 1"),
    ):
        own_answer(model, inputs(16), 1)


def test_everything_is_put_back(loaded):
    model, inputs = loaded
    decoder = model.get_decoder()
    before = vars(decoder).keys(), decoder.rotary_emb.inv_freq, decoder.config._attn_implementation
    before = (set(before[0]), *before[1:])
    _, logits = own_answer(model, inputs(8))
    with intpv.extend(model, frames=32, trained_frames=8, rope="ntk", kv="int8"):
        own_answer(model, inputs(32))
    with pytest.raises(BadInput), intpv.extend(model, frames=32, trained_frames=8, rope="ntk", kv="int8"):
        model(input_ids=torch.tensor([[1, 2, 3]]))
    assert set(vars(decoder)) == before[0]
    assert decoder.rotary_emb.inv_freq is before[1]
    assert decoder.config._attn_implementation == before[2]
    assert not model._forward_pre_hooks
    assert all(torch.equal(a, b) for a, b in zip(own_answer(model, inputs(8))[1], logits, strict=True))


def test_two_videos_in_a_row_are_two_contexts(loaded):
    model, inputs = loaded
    with intpv.extend(model, frames=8) as extended:
        own_answer(model, inputs(8))
        first = extended.context
        own_answer(model, inputs(8))
    assert extended.context is not first


def test_what_it_cannot_take_is_refused(loaded):
    model, inputs = loaded
    twice = {name: torch.cat([value, value]) for name, value in inputs(8).items()}
    with intpv.extend(model, frames=8):
        with pytest.raises(BadInput, match="a batch of 2"):
            model(**twice)
        with pytest.raises(BadInput, match="needs a video before the question, got 3 tokens"):
            model(input_ids=torch.tensor([[1, 2, 3]]))
        padded = (inputs(8)["input_ids"] != BEFORE[0]).long()
        with pytest.raises(BadInput, match="no padding, got a mask over 1 tokens"):
            model(**inputs(8), attention_mask=padded)
        with pytest.raises(BadInput, match="extended already"), intpv.extend(model, frames=8):
            pass
    with (
        pytest.raises(BadInput, match=r"rope_strategy must be one of .*yarn.*, got yarm"),
        intpv.extend(model, 8, "yarm"),
    ):
        pass
    with pytest.raises(BadInput, match="at least 1, got 0 and 8"), intpv.extend(model, 0, trained_frames=8):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("kv", ["none", "best2"])
def test_a_model_over_two_devices_is_the_model_on_one(loaded, kv):
    model, inputs = loaded
    given = inputs(16)
    with intpv.extend(model, frames=16, trained_frames=8, rope="visual_only", kv=kv):
        sequences, logits = own_answer(model, given)
    with pretended():
        spread(model, model.get_decoder(), [torch.device("meta:0"), torch.device("meta:1")])
        given = {name: value.to("meta:0") for name, value in given.items()}
        with intpv.extend(model, frames=16, trained_frames=8, rope="visual_only", kv=kv):
            elsewhere, ours = own_answer(model, given)
        assert elsewhere.tolist() == sequences.tolist()
        assert [one.tolist() for one in ours] == [one.tolist() for one in logits]


def test_a_forward_that_another_library_wrapped_is_kept(loaded):
    """As accelerate does it for a model that transformers spread over devices."""
    model, inputs = loaded
    decoder, calls = model.get_decoder(), []
    plain = decoder.forward

    def wrapped(*args, **kwargs):
        calls.append(kwargs)
        return plain(*args, **kwargs)

    _, logits = own_answer(model, inputs(8))
    decoder.forward = wrapped
    with intpv.extend(model, frames=8):
        _, ours = own_answer(model, inputs(8))
    assert calls
    assert decoder.forward is wrapped
    assert same(ours, logits)


def qwen_inputs(name: str, pixels: torch.Tensor, times: torch.Tensor, question: str) -> dict:
    """What the processor would make of a video of 16 x 24 pixels and a question."""
    known = family(name)
    tokenizer, prompt, slots = known.model.tokenizer, known.model.prompt, len(pixels) // 2
    if name == "qwen2_5_vl":
        shown = prompt.before_video + "<|video_pad|>" * (slots * 6) + prompt.after_video
    else:
        seconds = [float(times[i] + times[i + 1]) / 2 for i in range(0, len(times), 2)]
        frame = "<|vision_start|>" + "<|video_pad|>" * 6 + "<|vision_end|>"
        shown = prompt.before_video + "".join(f"<{second:.1f} seconds>{frame}" for second in seconds)
    ids = torch.tensor([tokenizer(shown + prompt.question(question)).input_ids])
    seconds = {"second_per_grid_ts": torch.tensor([2 * float(times[1] - times[0])])} if name == "qwen2_5_vl" else {}
    return {
        "input_ids": ids,
        "mm_token_type_ids": (ids == known.model.llm.config.video_token_id).int() * 2,
        "pixel_values_videos": qwen_patches(known.model.preprocess.normalise(pixels)),
        "video_grid_thw": torch.tensor([[slots, 4, 6]]),
        **seconds,
    }


QWENS = ["qwen2_5_vl", "qwen3_vl"]


@pytest.mark.parametrize("rope", ["none", "yarn", "visual_only"])
@pytest.mark.parametrize("name", QWENS)
def test_positions_of_three_axes_are_the_models_own_at_the_trained_length(name, rope):
    model, given = family(name).model.llm, qwen_inputs(name, *clip(8, (16, 24)), QUESTIONS[0])
    sequences, logits = own_answer(model, given)
    with intpv.extend(model, frames=8, trained_frames=8, rope=rope) as extended:
        answered, ours = own_answer(model, given)
    assert extended.context.factor == 1
    assert torch.equal(sequences, answered)
    assert same(ours, logits)


@pytest.mark.slow
@pytest.mark.parametrize("factor", ["auto", 4])
@pytest.mark.parametrize("rope", ["linear", "yarn", "visual_only"])
@pytest.mark.parametrize("name", QWENS)
def test_three_axes_are_scaled_as_watch_and_ask_scale_them(name, rope, factor):
    known, (pixels, times) = family(name), clip(32, (16, 24))
    strategy = option("rope_strategy", rope, factor=factor)
    llm = VideoLLM(known.model, Contiguous(), strategy, NoQuant(), max_new_tokens=1)
    context = llm.watch(pixels, times)
    expected = llm.ask(context, QUESTIONS[:1])[0].logits
    model, given = known.model.llm, qwen_inputs(name, pixels, times, QUESTIONS[0])
    plain = own_answer(model, given, 1)[1]
    with intpv.extend(model, frames=32, trained_frames=8, rope=strategy) as extended:
        _, ours = own_answer(model, given, 1)
    theirs = extended.context
    assert (theirs.factor, theirs.geometry) == (context.factor, context.geometry)
    if factor == "auto":
        assert theirs.factor == 4 if name == "qwen3_vl" else 1 < theirs.factor < 1.3
    assert same(ours, [expected[None]])
    assert not same(ours, plain)
