"""Tiny random models, for laws that hold whatever the weights: a decoder, and a Video-LLM with the mini's tokenizer."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from intpv.encoder.languagebind import LanguageBind
from intpv.encoder.per_frame import PerFrame
from intpv.flipbook.vocabulary import tokenizer
from intpv.model.model import Model, Prompt
from intpv.preprocess.clip import Preprocess

PROMPT = Prompt("Watch the video:", "", "USER: {question} ASSISTANT:")
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
    "hidden_act": "gelu",
    "num_frames": 8,
}


def tiny_llama(seed: int = 0, **sizes) -> LlamaForCausalLM:
    """A decoder with the sizes below but for those given; weights large enough that attention is not uniform."""
    torch.manual_seed(seed)
    rope = {"rope_type": "default", "rope_theta": 100.0}
    usual = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    usual |= {"num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.1}
    return LlamaForCausalLM(LlamaConfig(**{"rope_parameters": rope, **usual, **sizes})).eval().requires_grad_(False)


def tiny_model(encoder: str = "languagebind", prompt: Prompt = PROMPT, seed: int = 0) -> Model:
    """P = 5, N = 8, trained visual length 40, window 80."""
    words = tokenizer()
    llm = tiny_llama(
        seed,
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_key_value_heads=1,
        max_position_embeddings=80,
        initializer_range=0.15,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    kind = {"languagebind": LanguageBind, "per_frame": PerFrame}[encoder]
    tower = kind(llm_width=64, select_layer=-1, **SIZES).eval().requires_grad_(False)
    return Model("tiny", llm, tower, words, prompt, Preprocess(size=16))


def clip(frames: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random frames and their timestamps."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (frames, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return pixels, torch.arange(frames) / 2.0
