"""Model: a loaded Video-LLM taken apart into what watch and ask need."""

from dataclasses import asdict, dataclass

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.bounds import shown
from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.preprocess.pixels import Pixels

# Prompt: the words around video and question, as the checkpoint was trained with.


@dataclass(frozen=True)
class Prompt:
    """Text before the video, text after it, and a template with `{question}` that ends where the answer begins.

    BadInput for a template that would ask every question alike, and for what a shell makes of a newline.
    """

    before_video: str
    after_video: str
    ask: str

    def __post_init__(self) -> None:
        for name, text in asdict(self).items():
            if not isinstance(text, str):
                raise BadInput(f"prompt.{name} must be a text, got {shown(text)}")
            if r"\n" in text:
                meant = f"$'model.prompt.{name}=" + r'"...\n..."' + "'"
                raise BadInput(f"prompt.{name} must hold a newline, got a backslash and n in {text}: in bash {meant}")
        try:
            held = self.question("a") != self.question("b")
        except (LookupError, ValueError, AttributeError):
            held = False
        if not held:
            raise BadInput(
                f"prompt.ask must hold {{question}} and no other braces, got {' '.join(self.ask.split()) or 'nothing'}"
            )

    def question(self, text: str) -> str:
        """The question as the model reads it."""
        return self.ask.format(question=text)


MINI = Prompt("Watch the video:", "", "USER: {question} ASSISTANT:")


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
        return self.decoder.get_submodule("rotary_emb")

    @property
    def rope(self) -> dict:
        """The RoPE that the checkpoint was trained with, as its config states it: rope_type, rope_theta, factor, ..."""
        stated = self.llm.config.get_text_config().rope_parameters
        return {name: value for name, value in stated.items() if value is not None}

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
