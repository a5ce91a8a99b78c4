"""Any LLaVA in transformers' format: CLIP or SigLIP on frames alone, projector, whatever decoder the folder names.

The frames are what the model knows as images, one after the other. Tower, layer and tokens per frame are read from the
folder's config, pixels from its preprocessor_config.json.
"""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.encoder.video_encoder import VideoEncoder
from intpv.errors import BadInput
from intpv.model.adapter import Adapter
from intpv.model.llava_family import selected, square
from intpv.model.loading.config_json import pixels_of
from intpv.model.loading.hub import find
from intpv.model.model import Model, Prompt
from intpv.preprocess.pixels import Pixels

CLASS_TOKENS = {"clip_vision_model": 1, "siglip_vision_model": 0}  # before the patches, by kind of tower


class HFLlava(Adapter):
    """Cached is what the tower gives before the projector."""

    architecture = "LlavaForConditionalGeneration"
    repository = "llava-hf/llava-1.5-7b-hf"
    tower: nn.ModuleDict

    def __init__(self, checkpoint: PreTrainedModel, group_length: int, trained_visual_length: int | None):
        model, config = checkpoint.model, checkpoint.config
        vision, strategy = config.vision_config, config.vision_feature_select_strategy
        if vision.model_type not in CLASS_TOKENS:
            raise BadInput(f"vision_config.model_type must be {' or '.join(CLASS_TOKENS)}, got {vision.model_type}")
        # strategy default leaves out the first token, a class token or not: so does the model's own forward
        tokens = (vision.image_size // vision.patch_size) ** 2 + CLASS_TOKENS[vision.model_type]
        grid = (tokens - (strategy == "default"),)
        super().__init__(
            checkpoint, nn.ModuleDict({"vision": model.vision_tower}), group_length, trained_visual_length, grid
        )
        self.projector = model.multi_modal_projector
        self._size, self._selection = vision.image_size, (config.vision_feature_layer, strategy)

    @classmethod
    def load(
        cls,
        encoder: VideoEncoder,
        path: str | None,
        prompt: Prompt,
        preprocess: Pixels | None = None,
        trained_visual_length: int | None = None,
        **settings: Any,
    ) -> Model:
        """As every adapter's; `preprocess` None is the folder's own, `trained_visual_length` None is N x P."""
        if not path:
            raise BadInput(
                f"model=hf_llava reads a checkpoint of yours: model.path=FOLDER, for example after "
                f"hf download {cls.repository} --local-dir FOLDER"
            )
        folder = find(path, "model.path", cls.repository)
        if preprocess is None:
            preprocess = pixels_of(folder)
        model = super().load(encoder, str(folder), prompt, preprocess, trained_visual_length, **settings)
        placeholder = model.llm.config.image_token_id
        if placeholder not in model.tokenizer.get_vocab().values():
            raise BadInput(f"{folder}: the tokenizer has no token {placeholder}, which config.json says is an image's")
        # Llama's tokenizer puts a space before a text that stands alone
        model.encoder.behind = cast(str, model.tokenizer.convert_ids_to_tokens(placeholder))  # a list comes of a list
        return model

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        square(groups, self._size)
        return torch.stack([self._frames(frames) for frames in groups])  # a group at a time: all states are kept

    def project(self, features: Float[Tensor, "m N P E"]) -> Float[Tensor, "m N P D"]:
        return self.projector(features.to(next(self.projector.parameters()).dtype))

    def _frames(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N P E"]:
        return selected(self.tower["vision"](frames, output_hidden_states=True).hidden_states, *self._selection)
