"""Tiny random Video-LLMs of transformers' own classes, each with its adapter, its words and its forward as judge."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipVisionConfig,
)

from intpv.model.hf_llava import HFLlava
from intpv.model.llava_next_video import LlavaNextVideo
from intpv.model.llava_onevision import LlavaOnevision
from intpv.model.model import Model, Prompt
from intpv.model.qwen2_5_vl import Qwen25VL
from intpv.model.qwen3_vl import Qwen3VL
from intpv.preprocess.clip import Preprocess
from intpv.preprocess.qwen2_5_vl import Smart
from intpv.preprocess.qwen3_vl import SmartVolume
from intpv.preprocess.siglip import Square

CORPUS = ["<0.25 seconds> USER: Did red flash before or after blue? ASSISTANT: yes no user assistant\n"]
MEDIA = ["<image>", "<video>"]
QUESTIONS = ["Did red flash?", "Which color flashed first, and after which one?"]
OPTIONS = [("yes", "no"), ("red", "light green")]


@dataclass(frozen=True)
class Family:
    """A model as watch and ask take it, and `one_shot`: frames, times, question, answer's ids -> its own logits."""

    model: Model
    one_shot: Callable[..., torch.Tensor]
    size: tuple[int, int] = (16, 16)  # of a frame, pixels


def words(split, specials: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer trained here: about 200 tokens, merges among them, so that a wrong cut shows."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel() if isinstance(split, pre_tokenizers.ByteLevel) else decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=200,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=list("0123456789.,:?<>_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ▁Ġ\nĊ'"),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token=specials[0])


def text(tokenizer, rope: dict | None = None, **more) -> dict:
    """Sizes of a decoder; weights large enough that attention is not uniform."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 100.0, **(rope or {})},
        "initializer_range": 0.15,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        **more,
    }


def frozen(kind: type[PreTrainedModel], config) -> PreTrainedModel:
    torch.manual_seed(0)
    return kind(config).eval().requires_grad_(False)


def clip(frames: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Random frames and their times in seconds."""
    generator = torch.Generator().manual_seed(frames)
    pixels = torch.randint(0, 256, (frames, 3, *size), generator=generator, dtype=torch.uint8)
    return pixels, torch.arange(frames) / 2.0


def llava_next_video() -> Family:
    tokenizer = words(pre_tokenizers.Metaspace(prepend_scheme="first"), ["</s>", *MEDIA])
    image, video = tokenizer.convert_tokens_to_ids(MEDIA)
    config = LlavaNextVideoConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=16,
            patch_size=4,
            initializer_range=0.15,
            projection_dim=32,
        ),
        text_config=LlamaConfig(**text(tokenizer, {"rope_type": "linear", "factor": 2.5})),
        image_token_index=image,
        video_token_index=video,
    )
    checkpoint = frozen(LlavaNextVideoForConditionalGeneration, config)
    prompt = Prompt("USER: ", "", "\n{question} ASSISTANT:")
    adapter = LlavaNextVideo(checkpoint, 8, trained_visual_length=8 * 4)
    model = Model("llava_next_video", checkpoint, adapter, tokenizer, prompt, Preprocess(size=16))

    def one_shot(frames, times, question, answer=()):
        ids = tokenizer("USER: " + "<video>" * (len(frames) * 4) + "\n" + question + " ASSISTANT:").input_ids + list(
            answer
        )
        pixels = model.preprocess.normalise(frames)[None]
        return checkpoint(input_ids=torch.tensor([ids]), pixel_values_videos=pixels).logits[0]

    return Family(model, one_shot)


def hf_llava() -> Family:
    """CLIP and Llama, as LLaVA-1.5; every frame is an image with a placeholder for each of its 16 tokens."""
    tokenizer = words(pre_tokenizers.Metaspace(prepend_scheme="first"), ["</s>", *MEDIA])
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=40,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=16,
            patch_size=4,
            initializer_range=0.15,
            projection_dim=32,
        ),
        text_config=LlamaConfig(**text(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    checkpoint = frozen(LlavaForConditionalGeneration, config)
    adapter = HFLlava(checkpoint, 8, trained_visual_length=None)
    adapter.behind = "<image>"
    prompt = Prompt("USER: ", "", "\n{question} ASSISTANT:")
    model = Model("hf_llava", checkpoint, adapter, tokenizer, prompt, Preprocess(size=16))

    def one_shot(frames, times, question, answer=()):
        whole = "USER: " + "<image>" * (len(frames) * 16) + "\n" + question + " ASSISTANT:"
        ids = tokenizer(whole).input_ids + list(answer)
        return checkpoint(input_ids=torch.tensor([ids]), pixel_values=model.preprocess.normalise(frames)).logits[0]

    return Family(model, one_shot)


def llava_onevision() -> Family:
    tokenizer = words(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|im_end|>", "<|im_start|>", *MEDIA])
    image, video = tokenizer.convert_tokens_to_ids(MEDIA)
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=20,
            patch_size=4,  # 5 x 5 patches: an odd side, as in the released model
            vision_use_head=False,
        ),
        text_config=Qwen2Config(**text(tokenizer)),
        image_token_index=image,
        video_token_index=video,
    )
    checkpoint = frozen(LlavaOnevisionForConditionalGeneration, config)
    prompt = Prompt("<|im_start|>user ", "", "\n{question}<|im_end|><|im_start|>assistant\n")
    adapter = LlavaOnevision(checkpoint, 8, trained_visual_length=8 * 9)
    model = Model("llava_onevision", checkpoint, adapter, tokenizer, prompt, Square(size=20))

    def one_shot(frames, times, question, answer=()):
        shown = "<video>" * (len(frames) * 9 + 1)
        whole = f"<|im_start|>user {shown}\n{question}<|im_end|><|im_start|>assistant\n"
        pixels = model.preprocess.normalise(frames)[None]
        ids = tokenizer(whole).input_ids + list(answer)
        return checkpoint(input_ids=torch.tensor([ids]), pixel_values_videos=pixels).logits[0]

    return Family(model, one_shot, size=(20, 20))


QWEN_MEDIA = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]


def qwen_ids(tokenizer) -> dict[str, int]:
    names = ["image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"]
    return dict(zip(names, tokenizer.convert_tokens_to_ids(QWEN_MEDIA), strict=True))


def qwen2_5_vl(text_after: str = "grid") -> Family:
    """Frames of 16 x 24 pixels: slots of 2 x 3 tokens, windows of 2 x 2; 0.5 s between frames, so 2 a slot."""
    tokenizer = words(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|im_end|>", "<|im_start|>", *QWEN_MEDIA])
    ids = qwen_ids(tokenizer)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": 16,
            "fullatt_block_indexes": [1],
            "out_hidden_size": 64,
            "initializer_range": 0.15,
        },
        text_config=text(tokenizer, {"mrope_section": [4, 6, 6]}),
        **ids,
    )
    checkpoint = frozen(Qwen2_5_VLForConditionalGeneration, config)
    before, after = "<|im_start|>user\n<|vision_start|>", "<|vision_end|>"
    prompt = Prompt(before, after, "{question}<|im_end|>\n<|im_start|>assistant\n")
    adapter = Qwen25VL(checkpoint, 4, trained_visual_length=4 * 6, usual_grid=(2, 3), text_after=text_after)
    pixels = Smart(multiple=8, min_pixels=64, max_pixels=16 * 24)
    model = Model("qwen2_5_vl", checkpoint, adapter, tokenizer, prompt, pixels)

    def one_shot(frames, times, question, answer=(), position_ids=None):
        slots = len(frames) // 2
        whole = before + "<|video_pad|>" * (slots * 6) + after + prompt.question(question)
        row = torch.tensor([tokenizer(whole).input_ids + list(answer)])
        return checkpoint(
            input_ids=row,
            mm_token_type_ids=(row == ids["video_token_id"]).int() * 2,
            pixel_values_videos=qwen_patches(model.preprocess.normalise(frames)),
            video_grid_thw=torch.tensor([[slots, 4, 6]]),
            second_per_grid_ts=torch.tensor([2 * float(times[1] - times[0])]),
            position_ids=position_ids,
        ).logits[0]

    return Family(model, one_shot, size=(16, 24))


def qwen_patches(frames: torch.Tensor) -> torch.Tensor:
    """Patches of 2 frames x 4 x 4 pixels, merged 2 x 2, in the order transformers' video processor documents."""
    _, channels, height, width = frames.shape
    x = frames.reshape(-1, 2, channels, height // 8, 2, 4, width // 8, 2, 4)
    return x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, channels * 2 * 4 * 4)


def qwen3_vl() -> Family:
    """Frames of 16 x 24 pixels: slots of 2 x 3 tokens, each behind its time; deepstack from two blocks."""
    tokenizer = words(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|im_end|>", "<|im_start|>", *QWEN_MEDIA])
    ids = qwen_ids(tokenizer)
    config = Qwen3VLConfig(
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0, 1],
            "initializer_range": 0.15,
        },
        text_config=text(tokenizer, {"mrope_section": [6, 5, 5], "mrope_interleaved": True}, head_dim=32),
        **ids,
    )
    checkpoint = frozen(Qwen3VLForConditionalGeneration, config)
    prompt = Prompt("<|im_start|>user\n", "", "{question}<|im_end|>\n<|im_start|>assistant\n")
    adapter = Qwen3VL(checkpoint, 4, trained_visual_length=4 * 6, usual_grid=(2, 3))
    pixels = SmartVolume(multiple=8, min_pixels=64, max_pixels=32 * 16 * 24)
    model = Model("qwen3_vl", checkpoint, adapter, tokenizer, prompt, pixels)

    def one_shot(frames, times, question, answer=()):
        seconds = [float(times[i] + times[i + 1]) / 2 for i in range(0, len(times), 2)]
        shown = "<|vision_start|>" + "<|video_pad|>" * 6 + "<|vision_end|>"
        whole = prompt.before_video + "".join(f"<{second:.1f} seconds>{shown}" for second in seconds)
        row = torch.tensor([tokenizer(whole + prompt.question(question)).input_ids + list(answer)])
        return checkpoint(
            input_ids=row,
            mm_token_type_ids=(row == ids["video_token_id"]).int() * 2,
            pixel_values_videos=qwen_patches(model.preprocess.normalise(frames)),
            video_grid_thw=torch.tensor([[len(seconds), 4, 6]]),
        ).logits[0]

    return Family(model, one_shot, size=(16, 24))


BUILDERS = [hf_llava, llava_next_video, llava_onevision, qwen2_5_vl, qwen3_vl]


@cache
def family(name: str) -> Family:
    """Built once per process; weights are ordinary tensors, whoever asks first."""
    with torch.inference_mode(False):
        return {build.__name__: build for build in BUILDERS}[name]()
