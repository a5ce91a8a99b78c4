"""Random weights at the mini model's sizes, with any encoder: for identities, bytes and seconds, never for accuracy."""

from torch import nn, random
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

from intpv.encoder.video_encoder import VideoEncoder
from intpv.model.loading.assembly import refuse_weightless
from intpv.model.model import MINI, Model
from intpv.preprocess.clip import Preprocess
from intpv.shipped import EMBEDDED


def load(encoder: VideoEncoder, seed: int = 0, name: str = "random") -> Model:
    """Decoder, words and prompt of the mini model; the same weights for the same seed, whatever was drawn before."""
    refuse_weightless(encoder, "encoder")
    random.manual_seed(seed)
    llm = LlamaForCausalLM(AutoConfig.from_pretrained(EMBEDDED, local_files_only=True))
    for module in encoder.modules():  # drawn before the seed was set
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding | nn.LayerNorm):
            module.reset_parameters()
        for parameter in module.parameters(recurse=False):
            if not hasattr(module, "reset_parameters"):
                nn.init.normal_(parameter, std=0.1)
    return Model(
        name=name,
        llm=llm.eval().requires_grad_(False),
        encoder=encoder.eval().requires_grad_(False),
        tokenizer=AutoTokenizer.from_pretrained(EMBEDDED, local_files_only=True),
        prompt=MINI,
        preprocess=Preprocess(size=encoder.image_size),
        about="Its weights are random: it shows what a configuration costs and changes, not what it answers.",
    )
