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
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    SiglipVisionConfig,
)

import intpv
from intpv.errors import BadInput
from intpv.kv_quant.cache import handed
from intpv.model.spread import spread
from intpv.options import option
from intpv.rope_strategy.apply import applied, geometry_of

from .pretended import pretended

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
    }
    out = model.generate(**inputs, **options, attention_mask=torch.ones_like(inputs["input_ids"]))
    return out.sequences, list(out.logits)


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("rope", ["none", "yarn", "visual_only"])
def test_at_the_trained_length_nothing_changes(loaded, rope):
    model, inputs = loaded
    sequences, logits = own_answer(model, inputs(8))
    with intpv.extend(model, frames=8, rope=rope):
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
    with intpv.extend(model, frames=32, rope="yarn") as extended:
        _, ours = own_answer(model, given, 1)
    context = extended.context
    assert context.factor == pytest.approx(4, rel=0.01)
    geometry = geometry_of(model.config.get_text_config(), context.geometry.trained_length)
    assert geometry == context.geometry
    with torch.no_grad(), applied(decoder.rotary_emb, option("rope_strategy", "yarn"), geometry, context.factor):
        mask = torch.ones_like(given["input_ids"])
        expected = model(**given, attention_mask=mask).logits[:, -1]
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


def test_everything_is_put_back(loaded):
    model, inputs = loaded
    decoder = model.get_decoder()
    before = vars(decoder).keys(), decoder.rotary_emb.inv_freq, decoder.config._attn_implementation
    before = (set(before[0]), *before[1:])
    _, logits = own_answer(model, inputs(8))
    with intpv.extend(model, frames=32, rope="ntk", kv="int8"):
        own_answer(model, inputs(32))
    with pytest.raises(BadInput), intpv.extend(model, frames=32, rope="ntk", kv="int8"):
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
    with pytest.raises(BadInput, match="at least 1, got 0 and 8"), intpv.extend(model, 0):
        pass


@pytest.mark.parametrize("kv", ["none", "best2"])
def test_a_model_over_two_devices_is_the_model_on_one(loaded, kv):
    model, inputs = loaded
    given = inputs(16)
    with intpv.extend(model, frames=16, rope="visual_only", kv=kv):
        sequences, logits = own_answer(model, given)
    with pretended():
        spread(model, model.get_decoder(), [torch.device("meta:0"), torch.device("meta:1")])
        given = {name: value.to("meta:0") for name, value in given.items()}
        with intpv.extend(model, frames=16, rope="visual_only", kv=kv):
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


def test_positions_of_three_axes_are_the_models_own():
    torch.manual_seed(0)
    axes = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
    vision = {"hidden_size": 16, "out_hidden_size": 64, "depth": 1, "num_heads": 2, "intermediate_size": 32}
    vision |= {"patch_size": 8, "window_size": 32, "fullatt_block_indexes": [0]}
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": axes},
        vision_config=vision,
        video_token_id=VIDEO,
        image_token_id=61,
        vision_start_token_id=62,
        vision_end_token_id=63,
    )
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    ids = torch.tensor([[1, 62, *[VIDEO] * 16, 63, *AFTER]])  # 4 slots of 2 frames, 2 x 2 tokens each
    given = {"input_ids": ids, "video_grid_thw": torch.tensor([[4, 4, 4]]), "mm_token_type_ids": (ids == VIDEO) * 2}
    given |= {"pixel_values_videos": torch.randn(64, 3 * 2 * 8 * 8)}
    sequences, logits = own_answer(model, given)
    with intpv.extend(model, frames=8):
        extended, ours = own_answer(model, given)
    assert torch.equal(sequences, extended)
    assert same(ours, logits)
    with (
        intpv.extend(model, frames=8, trained_frames=2, rope="yarn"),
        pytest.raises(BadInput, match="with 3 and factor"),
    ):
        own_answer(model, given)
