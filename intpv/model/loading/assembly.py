"""Assembly: a Llama without weights and an encoder, filled together or not at all, become a Model."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from intpv.encoder.video_encoder import VideoEncoder
from intpv.encoder.weightless import weightless
from intpv.errors import BadInput
from intpv.model.loading.hub import devices_of, precision, spread
from intpv.model.model import Model, Prompt
from intpv.preprocess.pixels import Pixels

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
    generation: GenerationConfig | None = None,
) -> Model:
    """`fill` is given both parts as `llm.*` and `encoder.*`; `generation` None is what `config` says of it."""
    if (width := encoder.projector[-1].out_features) != config.hidden_size:
        raise BadInput(f"encoder.llm_width is {width}, the language model's hidden_size is {config.hidden_size}")
    kind, devices = precision(dtype), devices_of(device)
    with weightless():
        llm = LlamaForCausalLM(config)
    parts = nn.ModuleDict({"llm": llm, "encoder": encoder})
    fill(parts, kind, devices[0] if len(devices) == 1 else torch.device("cpu"))  # what needs several may not fit on one
    spread(parts.eval().requires_grad_(False), llm.get_decoder(), devices)  # tables that are computed stay float32
    llm.config.dtype = kind
    llm.generation_config = generation or llm.generation_config
    return Model(
        name=name, llm=llm, encoder=encoder, tokenizer=tokenizer, prompt=prompt, preprocess=preprocess, about=about
    )


# Drawing: random weights for a module of any size, made where they will be used; for costs, never for accuracy.


STD = 0.02  # Llama's initializer_range
ABOUT = "Its weights are random: it shows what a configuration costs and changes, not what it answers."


def draw(seed: int, module: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """The same weights for the same seed, dtype and kind of device, whatever was drawn before; norms start neutral."""
    generator = torch.Generator(device).manual_seed(seed)
    weights = {}
    for name, old in module.state_dict().items():
        weights[name] = new = torch.empty(old.shape, dtype=dtype, device=device)
        if old.ndim == 1 and name.endswith(("weight", "bias")):
            new.fill_(float(name.endswith("weight")))
        else:
            new.normal_(std=STD, generator=generator)
    module.load_state_dict(weights, strict=True, assign=True)


def refuse_weightless(module: nn.Module, what: str) -> None:
    """BadInput for a module whose weights were left to a loader."""
    weights = list(module.parameters())
    if not weights or any(weight.is_meta for weight in weights):
        raise BadInput(f"this {what} has no weights of its own: choose its own model, with model.weights=random")
