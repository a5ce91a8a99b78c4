"""Model: a loaded Video-LLM taken apart into what watch and ask need."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.encoder.video_encoder import VideoEncoder
from intpv.model.prompt import Prompt
from intpv.video.pixels import Pixels


@dataclass(frozen=True)
class Model:
    """Decoder, encoder and the words and pixels they were trained with. All weights are frozen, in eval mode."""

    name: str
    llm: PreTrainedModel  # a causal LM: hidden states in, logits out
    encoder: VideoEncoder
    tokenizer: PreTrainedTokenizerBase
    prompt: Prompt
    preprocess: Pixels
    about: str = ""  # what it can be asked, in a sentence for its users

    @property
    def decoder(self) -> PreTrainedModel:
        """The text model without its head."""
        return self.llm.get_decoder()

    @property
    def rotary(self) -> nn.Module:
        """The one module that turns positions into cos and sin."""
        return self.decoder.rotary_emb

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Where the weights are: one, or several over which the decoder's layers are spread; fed is the first."""
        return tuple(dict.fromkeys(weight.device for weight in self.llm.parameters()))

    @property
    def trained_visual_length(self) -> int:
        """N * P, visual tokens of a training clip."""
        return self.encoder.trained_visual_length

    @property
    def window_length(self) -> int:
        """W, text positions the LLM was trained on."""
        return self.llm.config.get_text_config().max_position_embeddings
