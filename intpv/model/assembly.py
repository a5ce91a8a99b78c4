"""Assembly: a Llama without weights and an encoder, filled together or not at all, become a Model."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from intpv.encoder.video_encoder import VideoEncoder
from intpv.encoder.weightless import weightless
from intpv.errors import BadInput
from intpv.model.model import Model
from intpv.model.place import devices_of, precision
from intpv.model.prompt import Prompt
from intpv.model.spread import spread
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
    device: str | Sequence[str],
    name: str,
    about: str = "",
) -> Model:
    """`fill` is given both parts as `llm.*` and `encoder.*`."""
    if (width := encoder.projector[-1].out_features) != config.hidden_size:
        raise BadInput(f"encoder.llm_width is {width}, the language model's hidden_size is {config.hidden_size}")
    kind, devices = precision(dtype), devices_of(device)
    with weightless():
        llm = LlamaForCausalLM(config)
    parts = nn.ModuleDict({"llm": llm, "encoder": encoder})
    fill(parts, kind, devices[0] if len(devices) == 1 else torch.device("cpu"))  # what needs several may not fit on one
    spread(parts.eval().requires_grad_(False), llm.get_decoder(), devices)  # tables that are computed stay float32
    llm.config.dtype = kind
    return Model(
        name=name, llm=llm, encoder=encoder, tokenizer=tokenizer, prompt=prompt, preprocess=preprocess, about=about
    )
