"""Every decoder that transformers' LLaVA-like models may carry: its own forward is the judge, in ask and in extend."""

from copy import deepcopy
from functools import cache

import pytest
import torch
from transformers import (
    AutoConfig,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GptOssConfig,
    GraniteConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    MistralConfig,
    Olmo2Config,
    Phi3Config,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    SmolLM3Config,
)

import intpv
from intpv.attention.rules import Places, Rules, beyond_plain
from intpv.attention_kl.report import Measured
from intpv.cache.memory import FirstCome
from intpv.cache.no_cache import NoCache
from intpv.data.benchmark import Benchmark, Question, VideoItem
from intpv.errors import BadInput
from intpv.inference.inference import Inference
from intpv.inference.measuring import Asked, Measuring
from intpv.inference.trained_length import TrainedLength
from intpv.inference.viewing import Viewer
from intpv.options import option
from intpv.scorer.contains import Contains
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM

from ..pretended import pretended
from .families import frozen, text
from .llama_words import llama_tokenizer
from .loading.test_spread import TWO, spread_over
from .test_families import build
from .test_hf_llava import CLIP, PROCESSORS, read

FRAMES = 8
QUESTIONS = ["Did red flash?", "Which color flashed first, and after which one? " * 3]  # the second outgrows a window
WINDOW = 32  # tokens, of a prefix of 133
EXPERTS = {"num_experts": 2, "num_experts_per_tok": 1}
EXPERTS |= {"moe_intermediate_size": 32, "shared_expert_intermediate_size": 32}
MIXED = ["sliding_attention", "full_attention", "sliding_attention"]
DECODERS = {
    "llama": lambda of: LlamaConfig(**of()),
    "mistral": lambda of: MistralConfig(**of(sliding_window=WINDOW)),
    "mistral, window beyond the prefix": lambda of: MistralConfig(**of(sliding_window=140)),
    "mistral without a window": lambda of: MistralConfig(**of(sliding_window=None)),
    "qwen2": lambda of: Qwen2Config(**of(use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1)),
    "qwen3": lambda of: Qwen3Config(**of(head_dim=48)),
    "gemma2": lambda of: Gemma2Config(
        **of(head_dim=32, layer_types=MIXED, attn_logit_softcapping=1.0, sliding_window=WINDOW)
    ),
    "gemma3": lambda of: Gemma3TextConfig(
        **{**of(head_dim=32, layer_types=MIXED, sliding_window=WINDOW), "rope_parameters": None}
    ),
    "phi3": lambda of: Phi3Config(**of(sliding_window=WINDOW)),
    # says its window by the mask alone, without a word to attention
    "qwen2 moe": lambda of: Qwen2MoeConfig(
        **of(use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1, **EXPERTS)
    ),
    "smollm3": lambda of: SmolLM3Config(**of(no_rope_layers=[1, 0, 1])),
    "olmo2": lambda of: Olmo2Config(**of()),
    "cohere": lambda of: CohereConfig(**of()),
    "granite": lambda of: GraniteConfig(**of(attention_multiplier=0.2)),
}
REFUSED = {
    "sinks": (
        lambda of: GptOssConfig(
            **of(head_dim=32, layer_types=["full_attention"] * 3, num_local_experts=2, num_experts_per_tok=1)
        ),
        "GptOssModel has attention sinks",
    ),
    "chunks": (
        lambda of: AutoConfig.for_model(
            "llama4_text", **of(layer_types=["chunked_attention"] * 3, num_local_experts=2, intermediate_size_mlp=96)
        ),
        "Llama4TextModel has layers of chunked_attention",
    ),
    "linear": (
        lambda of: AutoConfig.for_model(
            "qwen3_next",
            **of(head_dim=32, layer_types=["linear_attention", "full_attention", "full_attention"], **EXPERTS),
        ),
        "Qwen3NextModel has layers of linear_attention",
    ),
    "a window that its masks leave out": (
        lambda of: AutoConfig.for_model("olmoe", **of(sliding_window=WINDOW, num_experts=2, num_experts_per_tok=1)),
        "OlmoeModel's config has sliding_window=32",
    ),
    "latents": (
        lambda of: AutoConfig.for_model(
            "deepseek_v3",
            **of(q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=16, qk_nope_head_dim=16, v_head_dim=16),
            **{
                "n_routed_experts": 2,
                "moe_intermediate_size": 32,
                "num_experts_per_tok": 1,
                "n_group": 1,
                "topk_group": 1,
                "first_k_dense_replace": 3,
            },
        ),
        "DeepseekV3Model caches latents of 16 channels",
    ),
}
MASKS_OF_ITS_OWN = {"masks of its own": lambda of: AutoConfig.for_model("doge", **of())}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Name -> the model as HFLlava loads it, and its folder's tokenizer."""

    @cache
    def load(name: str):
        folder, tokenizer = tmp_path_factory.mktemp("decoder"), llama_tokenizer("<image>", add_bos_token=True)
        config = MASKS_OF_ITS_OWN.get(name) or DECODERS.get(name) or REFUSED[name][0]
        sizes = LlavaConfig(
            vision_config=CLIP,
            text_config=config(lambda **more: text(tokenizer, **more)),
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        )
        for part in (frozen(LlavaForConditionalGeneration, sizes), tokenizer, PROCESSORS["clip"]):
            part.save_pretrained(folder)
        model = read(folder)
        if name == "gemma2":  # the judge: before transformers 5.22 sdpa leaves the soft cap out
            model.decoder.set_attn_implementation("eager")
        return model, tokenizer

    return load


def inputs(model, tokenizer, pixels, question) -> dict:
    row = "USER: " + "<image>" * (FRAMES * model.encoder.tokens_per_frame) + f"\n{question} ASSISTANT:"
    normalised = model.preprocess.normalise(pixels).to(model.llm.dtype)
    return {"input_ids": torch.tensor([tokenizer(row).input_ids]), "pixel_values": normalised}


@pytest.fixture(scope="module")
def pixels():
    return torch.randint(0, 256, (FRAMES, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
@torch.inference_mode()
def test_watch_and_ask_are_its_own_forward(loaded, pixels, name):
    """The first token's logits, every generated token and options of several tokens, with two questions at once."""
    model, tokenizer = loaded(name)
    llm = VideoLLM(
        model, option("rearranger", "strided"), option("rope_strategy", "none"), option("kv_quant", "none"), 4
    )
    options = [("red", "light green")] * 2
    answers = llm.ask(llm.watch(pixels, torch.arange(float(FRAMES))), QUESTIONS, options)
    for question, answer in zip(QUESTIONS, answers, strict=True):
        given = inputs(model, tokenizer, pixels, question)
        expected = model.llm(**given).logits[0, -1]
        assert expected.std() > 0.1
        torch.testing.assert_close(answer.logits, expected, rtol=0, atol=1e-4)
        assert answer.tokens == greedy(model, given, 4)
        for words, loglik in zip(options[0], answer.loglik, strict=True):
            assert loglik == pytest.approx(likelihood(model, tokenizer, given, words), abs=1e-3)


def greedy(model, given: dict, count: int) -> tuple[int, ...]:
    """By whole forwards, without a cache."""
    ids = given["input_ids"]
    for _ in range(count):
        ids = torch.cat([ids, model.llm(**{**given, "input_ids": ids}).logits[:, -1:].argmax(-1)], 1)
    found = ids[0, given["input_ids"].shape[1] :].tolist()
    stop = model.tokenizer.eos_token_id
    return tuple(found[: found.index(stop)] if stop in found else found)


def likelihood(model, tokenizer, given: dict, words: str) -> float:
    tokens = torch.tensor([tokenizer(words, add_special_tokens=False).input_ids])
    ids = torch.cat([given["input_ids"], tokens], 1)
    spread = model.llm(**{**given, "input_ids": ids}).logits[0, -tokens.shape[1] - 1 : -1].log_softmax(-1)
    return float(spread.gather(1, tokens[0, :, None]).sum())


@pytest.mark.parametrize("name", DECODERS)
@torch.inference_mode()
def test_extend_generates_what_it_generates_alone(loaded, pixels, name):
    model, tokenizer = loaded(name)
    given = inputs(model, tokenizer, pixels, QUESTIONS[0])
    settings = {"max_new_tokens": 5, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    alone = model.llm.generate(**given, **settings)
    with intpv.extend(model.llm, frames=FRAMES, trained_frames=FRAMES):
        extended = model.llm.generate(**given, **settings)
    assert extended.sequences.tolist() == alone.sequences.tolist()
    torch.testing.assert_close(torch.stack(extended.logits), torch.stack(alone.logits), rtol=0, atol=1e-4)
    assert torch.equal(model.llm.generate(**given, **settings).sequences, alone.sequences)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_applied_is_refused_before_anything_runs(loaded, name):
    model, _ = loaded(name)
    model.llm.forward = model.decoder.forward = None
    for begin in (lambda: build(model), lambda: intpv.extend(model.llm, FRAMES, trained_frames=FRAMES).__enter__()):
        with pytest.raises(BadInput, match=REFUSED[name][1]):
            begin()


@pytest.mark.parametrize(("name", "what"), [("mistral", "a sliding window of 32"), ("gemma2", "soft-capped logits")])
def test_a_path_that_reads_plain_attention_alone_is_refused_by_name(loaded, name, what):
    with pytest.raises(BadInput, match=f"kv_quant.decode=compiled cannot be run: .* has {what}"):
        build(loaded(name)[0], kv=option("kv_quant", "int4", decode="compiled"))


class NoVideos(Benchmark):
    name = "none"

    def items(self) -> list:
        return []


@pytest.mark.parametrize(
    ("name", "what"), [("mistral", "a sliding window of 32 tokens"), ("gemma2", "soft-capped logits")]
)
def test_measures_of_plain_attention_are_refused_before_a_video_is_watched(loaded, name, what):
    viewer = Viewer(build(loaded(name)[0]), VideoReader(), NoCache(), FRAMES)
    with pytest.raises(BadInput, match=f"measure reads plain attention over the whole prefix, .* has {what}"):
        Inference(viewer, Contains(), NoVideos(), FirstCome(0), Measuring(attention_kl=True))


@pytest.mark.parametrize("name", ["mistral", "gemma2"])
def test_windows_and_caps_are_the_same_over_two_devices(loaded, pixels, name):
    def answered(model) -> list:
        llm = build(model)
        return [one.logits.tolist() for one in llm.ask(llm.watch(pixels, torch.arange(float(FRAMES))), QUESTIONS)]

    model = loaded(name)[0]
    expected, other = answered(model), deepcopy(model)
    with pretended():
        spread_over(other, TWO)
        assert answered(other) == expected


@torch.inference_mode()
def test_a_soft_cap_is_in_the_prefill_whatever_sdpa_leaves_out(loaded, pixels, monkeypatch):
    model, tokenizer = loaded("gemma2")
    expected = model.llm(**inputs(model, tokenizer, pixels, QUESTIONS[0])).logits[0, -1]
    monkeypatch.setattr(type(model.decoder), "_supports_sdpa", True)
    llm, times = build(model), torch.arange(float(FRAMES))
    try:
        model.decoder.set_attn_implementation("sdpa")
        got = llm.ask(llm.watch(pixels, times), QUESTIONS[:1])[0].logits
        assert model.decoder.config._attn_implementation == "sdpa"
    finally:
        model.decoder.set_attn_implementation("eager")
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_masks_that_a_model_makes_for_each_head_are_refused(loaded, pixels):
    """Doge chooses keys anew in every layer, by a mask that it makes of the one it is given."""
    llm = build(loaded("masks of its own")[0])
    context = llm.watch(pixels, torch.arange(float(FRAMES)))
    with pytest.raises(BadInput, match="DogeAttention makes a mask for each head: no part of attention"):
        llm.ask(context, QUESTIONS)


@torch.inference_mode()
def test_a_mask_that_is_not_causal_is_refused_in_extend(loaded, pixels):
    model, tokenizer = loaded("llama")
    length = inputs(model, tokenizer, pixels, QUESTIONS[0])["input_ids"].shape[1]
    causal = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    both = causal.clone()
    both[..., 5, 6] = True
    for mask in ({"full_attention": both}, both, torch.where(both, 0.0, -1e9)):
        with intpv.extend(model.llm, FRAMES, trained_frames=FRAMES), pytest.raises(BadInput, match="1 pairs see later"):
            model.decoder(inputs_embeds=torch.zeros(1, length, 64), attention_mask=mask)


def test_a_keyword_that_is_not_applied_is_refused():
    assert Rules.of({"sliding_window": 4, "softcap": 2.0, "position_ids": 0, "s_aux": None}, "x", 4) == Rules(4, 2.0)
    assert Rules.of({"sliding_window": None}, "x", 4) == Rules(4)
    with pytest.raises(BadInput, match="Attention asks attention for a window of 4 tokens, its config says None"):
        Rules.of({"sliding_window": 4}, "Attention")
    with pytest.raises(BadInput, match="Attention asks attention for position_bias, s_aux: no part of"):
        Rules.of({"s_aux": torch.zeros(2), "position_bias": torch.zeros(2), "use_cache": True}, "Attention")


def test_attention_is_plain_as_far_as_a_window_reaches(loaded):
    assert beyond_plain(loaded("llama")[0].decoder) is None
    assert beyond_plain(loaded("mistral without a window")[0].decoder) is None
    windowed = loaded("mistral")[0].decoder
    assert (beyond_plain(windowed, 32), beyond_plain(windowed, 33)) == (None, "a sliding window of 32 tokens")
    assert beyond_plain(loaded("gemma2")[0].decoder, 1) == "soft-capped logits (attn_logit_softcapping=1)"


def test_a_window_counts_tokens_of_the_sequence():
    places = Places(torch.tensor([9, 12]), torch.tensor([8, 9, 12]))
    window = places.window(4, torch.device("cpu"))
    assert (window.first.tolist(), window.cuts) == ([6, 9], True)
    assert not places.window(13, torch.device("cpu")).cuts
    assert window.seen.tolist() == [[True, True, True], [False, True, True]]


def test_a_video_whose_question_outgrows_the_window_is_answered_and_not_measured(loaded, pixels, caplog):
    llm = build(loaded("mistral, window beyond the prefix")[0])
    viewer, times = Viewer(llm, VideoReader(), NoCache(), FRAMES), torch.arange(float(FRAMES))
    prefill = llm.prefill(llm.look(pixels, "v"), times, "v")
    context = llm.pack(prefill)
    answers = llm.ask(context, QUESTIONS)
    questions = tuple(Question(f"q{i}", "kind", text, (), "red") for i, text in enumerate(QUESTIONS))
    asked = Asked(VideoItem("v", "v.mp4", questions), prefill, context, answers)
    assert Measuring(attention_kl=True).measure(viewer, TrainedLength.of(viewer), Contains(), asked) == Measured()
    assert "v: not measured: prefix, question and answer take" in caplog.text
    assert "a sliding window of 140 tokens" in caplog.text
