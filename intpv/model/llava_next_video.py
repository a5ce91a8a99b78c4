"""LLaVA-NeXT-Video as transformers has it: CLIP on frames alone, 2x2 patches pooled, then the projector; Vicuna.

The released 7B was trained with linear scaling by 2.5 in its config; strategies scale what that gives.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from intpv.model.adapter import Adapter
from intpv.model.llava_family import selected, square


class LlavaNextVideo(Adapter):
    """Cached are the pooled patches before the projector, four times narrower than behind it."""

    architecture = "LlavaNextVideoForConditionalGeneration"
    repository = "llava-hf/LLaVA-NeXT-Video-7B-hf"
    behind = "<video>"  # Llama's tokenizer puts a space before a text that stands alone
    tower: nn.ModuleDict

    def __init__(self, checkpoint: PreTrainedModel, group_length: int, trained_visual_length: int):
        model, config = checkpoint.model, checkpoint.config
        side = config.vision_config.image_size // config.vision_config.patch_size // config.spatial_pool_stride
        # the pooler has weights where it is a convolution
        tower = nn.ModuleDict({"vision": model.vision_tower, "pool": model.vision_resampler})
        super().__init__(checkpoint, tower, group_length, trained_visual_length, grid=(side * side,))
        self.projector = model.multi_modal_projector
        self._size = config.vision_config.image_size
        self._selection = config.vision_feature_layer, config.vision_feature_select_strategy

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        square(groups, self._size)
        return torch.stack([self._pooled(frames) for frames in groups])  # a group at a time: all states are kept

    def project(self, features: Float[Tensor, "m N P E"]) -> Float[Tensor, "m N P D"]:
        return self.projector(features.to(next(self.projector.parameters()).dtype))

    def _pooled(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N P E"]:
        states = self.tower["vision"](frames, output_hidden_states=True).hidden_states
        return self.tower["pool"](selected(states, *self._selection))
