"""Assembly: a Llama without weights and an encoder, filled together or not at all, become a Model."""

from collections.abc import Callable

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from intpv.encoder.video_encoder import VideoEncoder
from intpv.encoder.weightless import weightless
from intpv.errors import BadInput
from intpv.model.model import Model
from intpv.model.place import device_of, precision
from intpv.model.prompt import Prompt
from intpv.video.pixels import Pixels

Fill = Callable[[nn.Module, torch.dtype, torch.device], None]


def assemble(
    encoder: VideoEncoder,
    config: LlamaConfig,
    fill: Fill,
    *,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    preprocess: Pixels,
    dtype: str,
    device: str,
    name: str,
    about: str = "",
) -> Model:
    """`fill` is given both parts as `llm.*` and `encoder.*`."""
    if (width := encoder.projector[-1].out_features) != config.hidden_size:
        raise BadInput(f"encoder.llm_width is {width}, the language model's hidden_size is {config.hidden_size}")
    kind, place = precision(dtype), device_of(device)
    with weightless():
        llm = LlamaForCausalLM(config)
    parts = nn.ModuleDict({"llm": llm, "encoder": encoder})
    fill(parts, kind, place)
    parts.to(place).eval().requires_grad_(False)  # the tables that are computed, not loaded, stay float32
    llm.config.dtype = kind
    return Model(
        name=name, llm=llm, encoder=encoder, tokenizer=tokenizer, prompt=prompt, preprocess=preprocess, about=about
    )
