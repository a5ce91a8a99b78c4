"""Cost model: a Video-LLM of a Shape with random weights, made where it will run; for bytes and seconds alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from intpv.encoder.languagebind import LanguageBind
from intpv.errors import BadInput
from intpv.measure.cost_shape import Shape
from intpv.model.checkpoint import EMBEDDED
from intpv.model.model import Model
from intpv.model.prompt import MINI
from intpv.video.preprocess import Preprocess

WINDOW = 4096  # positions; beyond it nothing is refused
TOWER_HEAD = 64  # channels per head of the tower, as in every CLIP


def random_model(shape: Shape, device: torch.device, dtype: torch.dtype) -> Model:
    """The mini model's words, and no end of an answer, so that as many tokens are said as are allowed."""
    words = AutoTokenizer.from_pretrained(EMBEDDED, local_files_only=True)
    if shape.vocabulary < len(words):
        raise BadInput(
            f"vocabulary must be at least {len(words)}, the words questions are made of, got {shape.vocabulary}"
        )
    words.eos_token = None
    encoder = encoder_of(shape, device, dtype)
    with _made_on(device, dtype):
        llm = LlamaForCausalLM(_llm(shape)).eval().requires_grad_(False)
    return Model("random", llm, encoder, words, MINI, Preprocess(size=shape.image_size))


def _llm(shape: Shape) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocabulary,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=False,
    )


def encoder_of(shape: Shape, device: torch.device, dtype: torch.dtype) -> LanguageBind:
    """Tower and projector alone."""
    with _made_on(device, dtype):
        encoder = LanguageBind(
            llm_width=shape.hidden,
            select_layer=shape.tower_run - shape.tower_layers - 1,
            hidden_size=shape.tower_hidden,
            intermediate_size=shape.tower_intermediate,
            num_hidden_layers=shape.tower_layers,
            num_attention_heads=max(1, shape.tower_hidden // TOWER_HEAD),
            image_size=shape.image_size,
            patch_size=shape.patch_size,
            hidden_act="gelu",
            num_frames=shape.group,
            num_channels=shape.channels,
        )
        for parameter in encoder.parameters():  # some are left as the memory was, and codes are made of finite numbers
            nn.init.normal_(parameter, std=0.02)
    return encoder.eval().requires_grad_(False)


@contextmanager
def _made_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """New parameters are made there and in this type: a detour through float32 on the host would take 27 GB."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)
