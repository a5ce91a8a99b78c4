"""Decoders with a RoPE of their own, behind LLaVA: watch, ask and extend are the model's own forward at factor 1."""

from functools import cache
from math import prod
from tempfile import TemporaryDirectory

import pytest
import torch
from omegaconf import OmegaConf
from transformers import (
    CohereConfig,
    Gemma3TextConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Phi3Config,
    Qwen2Config,
)

import intpv
from intpv.check.rotation import largest_rotation_error
from intpv.check.shown_model import Subject
from intpv.errors import BadInput
from intpv.kv_quant.kv_quant import KVQuant
from intpv.model.loading.published import known
from intpv.model.model import Model
from intpv.options import CONF
from intpv.rearranger.contiguous import Contiguous
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.yarn import YarnScaling

from ..hf.test_rotary import VisualYarn
from ..rope_strategy.test_own_rope import LONG, ROPES
from .families import QUESTIONS, clip, family, frozen, text
from .llama_words import llama_tokenizer
from .test_families import NAMES, build
from .test_hf_llava import CLIP, PROCESSORS, read

TWO = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e4},
    "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
}
KINDS = {
    **{name: (LlamaConfig, {"rope": rope}) for name, rope in ROPES.items()},
    "yarn in Qwen2": (Qwen2Config, {"rope": ROPES["yarn"]}),
    "longrope, short": (LlamaConfig, {"rope": {**LONG, "original_max_position_embeddings": 256}}),
    "partial": (Phi3Config, {"rope": {"partial_rotary_factor": 0.5}}),
    "side by side": (CohereConfig, {}),
    # a window that nothing leaves: what it cuts off is another matter
    "by type of layer": (Gemma3TextConfig, {"head_dim": 32, "sliding_window": 4096, "rope_parameters": TWO}),
}
FRAMES, PATCHES = 8, 16


@cache
def llava(kind: str) -> Model:
    """As it comes out of a folder."""
    config, fields = KINDS[kind]
    tokenizer = llama_tokenizer("<image>", add_bos_token=True)
    image = tokenizer.convert_tokens_to_ids("<image>")
    more = {"layer_types": ["sliding_attention", "full_attention"] * 2} if config is Gemma3TextConfig else {}
    sizes = {**text(tokenizer, **fields), **more, **({"num_hidden_layers": 4} if more else {}), "pad_token_id": 0}
    checkpoint = frozen(
        LlavaForConditionalGeneration,
        LlavaConfig(vision_config=CLIP, text_config=config(**sizes), image_token_index=image),
    )
    with TemporaryDirectory() as folder:
        for part in (checkpoint, tokenizer, PROCESSORS["clip"]):
            part.save_pretrained(folder)
        return read(folder)


def inputs(model: Model, pixels: torch.Tensor, question: str) -> dict:
    row = model.tokenizer("USER: " + "<image>" * (len(pixels) * PATCHES) + f"\n{question} ASSISTANT:").input_ids
    return {"input_ids": torch.tensor([row]), "pixel_values": model.preprocess.normalise(pixels)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_watch_ask_and_extend_are_the_models_own_forward(kind):
    model, (pixels, times) = llava(kind), clip(FRAMES, (16, 16))
    llm = build(model)
    for question, answer in zip(QUESTIONS, llm.ask(llm.watch(pixels, times), QUESTIONS), strict=True):
        given = inputs(model, pixels, question)
        expected = model.llm(**given).logits[0, -1]
        assert expected.std() > 0.1
        torch.testing.assert_close(answer.logits, expected, atol=1e-4, rtol=1e-4)
        with intpv.extend(model.llm, frames=FRAMES, trained_frames=FRAMES):
            torch.testing.assert_close(model.llm(**given).logits[0, -1], expected, atol=1e-4, rtol=1e-4)
        assert torch.equal(model.llm(**given).logits[0, -1], expected)  # it is itself again


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [LinearScaling(factor=4), YarnScaling(factor=4), VisualYarn(factor=4)])
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_a_model_turns_by_the_angles_of_the_strategy(kind, strategy):
    subject = Subject(llava(kind), Contiguous())
    assert largest_rotation_error(subject, build(subject.model, strategy)) < 1e-6


@pytest.mark.parametrize("factor", [1, 4])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_families_turn_by_the_angles_of_a_strategy_of_the_users_own(name, factor):
    if family(name).model.rotary.config.rope_parameters.get("mrope_section"):
        pytest.skip("its angles are of one axis")
    subject = Subject(family(name).model, Contiguous())
    assert largest_rotation_error(subject, build(subject.model, VisualYarn(factor=factor))) < 1e-6


@torch.inference_mode()
def test_the_answer_is_another_than_the_parents():
    model, (pixels, times) = llava("default"), clip(32, (16, 16))
    ours, parents = (build(model, rope) for rope in (VisualYarn(), YarnScaling()))
    first, second = (llm.ask(llm.watch(pixels, times), QUESTIONS)[0].logits for llm in (ours, parents))
    assert (first - second).abs().max() > 1e-2
    with intpv.extend(model.llm, frames=32, trained_frames=FRAMES, rope=VisualYarn()):
        extended = model.llm(**inputs(model, pixels, QUESTIONS[0])).logits[0, -1]
    torch.testing.assert_close(extended, first, atol=1e-4, rtol=1e-4)


PRE_ROPE = KVQuant(bits=8, key_group=32, value_group=32, pre_rope=True)


def test_keys_of_several_rotations_are_not_turned_back():
    with pytest.raises(BadInput, match=r"pre_rope needs one rotation of whole keys, .* got none: layers differ"):
        build(llava("by type of layer"), kv=PRE_ROPE).watch(*clip(FRAMES, (16, 16)))
    with pytest.raises(BadInput, match="got none: layers differ, or pair channels in another way"):
        build(llava("side by side"), kv=PRE_ROPE).watch(*clip(FRAMES, (16, 16)))
    with pytest.raises(BadInput, match=r"pre_rope needs one rotation of whole keys, angles .* got \(\d+, 8\)"):
        build(llava("partial"), kv=PRE_ROPE).watch(*clip(FRAMES, (16, 16)))


def test_a_question_beyond_the_table_of_the_checkpoint_fails_alone():
    llm = build(llava("longrope, short"))
    questions = [QUESTIONS[0], "Did red flash? " * 40, QUESTIONS[1]]
    context = llm.watch(*clip(FRAMES, (16, 16)))
    first, refused, last = llm.ask_each(context, questions)
    assert "rotates sequences beyond 256 positions by another table" in refused
    alone = llm.ask(context, QUESTIONS)
    assert [one.tokens for one in (first, last)] == [one.tokens for one in alone]


def looked_at(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, times = clip(FRAMES, (16, 16))
    return build(model).look(pixels), times


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_a_model_is_what_its_option_states(name):
    found = known(family(name).model.llm)
    if name == "hf_llava":
        assert found is None
        return
    stated = OmegaConf.load(CONF / "model" / f"{found.option}.yaml")
    assert found.option.startswith(name)
    assert found.trained_visual_length == stated.trained_visual_length
    assert found.slot == (prod(stated.usual_grid) if "usual_grid" in stated else None)


def test_extend_asks_for_the_trained_frames_that_no_option_states():
    model = llava("default").llm
    line = "trained on: no option of conf/model states it for LlavaForConditionalGeneration, give trained_frames=N"
    with pytest.raises(BadInput, match=line), intpv.extend(model, frames=8, rope="yarn"):
        pass
    with intpv.extend(model, frames=8, rope="none"), pytest.raises(BadInput, match="needs a video"):
        model(input_ids=torch.tensor([[5, 6, 7]]))
