"""LLaVA-OneVision as transformers has it: SigLIP on frames alone, projector, half the rows and columns; Qwen2."""

from collections.abc import Sequence
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.encoder.prefix_pieces import Piece, Vector, words
from intpv.model.adapter import Adapter
from intpv.model.llava_family import selected, square


class LlavaOnevision(Adapter):
    """Cached is what the decoder gets: pooled behind the projector it is smaller than all patches before it (7B: 196
    tokens of 3584 against 729 of 1152). One learned vector, image_newline, follows the last frame."""

    architecture = "LlavaOnevisionForConditionalGeneration"
    repository = "llava-hf/llava-onevision-qwen2-7b-ov-hf"
    behind = "<video>"
    tower: nn.ModuleDict

    def __init__(self, checkpoint: PreTrainedModel, group_length: int, trained_visual_length: int):
        model, config = checkpoint.model, checkpoint.config
        self._size = config.vision_config.image_size
        self._side = self._size // config.vision_config.patch_size
        self._pooled = ceil(self._side / 2)
        tower = nn.ModuleDict({"vision": model.vision_tower, "projector": model.multi_modal_projector})
        super().__init__(checkpoint, tower, group_length, trained_visual_length, grid=(self._pooled**2,))
        self._newline = model.image_newline
        self._selection = config.vision_feature_layer, config.vision_feature_select_strategy

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P D"]:
        square(groups, self._size)
        return torch.stack([self._frames(frames) for frames in groups])  # a group at a time: all states are kept

    def _frames(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N P D"]:
        states = self.tower["vision"](frames, output_hidden_states=True).hidden_states
        patches = self.tower["projector"](selected(states, *self._selection))
        picture = patches.unflatten(1, (self._side, self._side)).permute(0, 3, 1, 2)
        return interpolate(picture, size=(self._pooled, self._pooled), mode="bilinear").flatten(2).mT

    def pieces(
        self,
        tokenizer: PreTrainedTokenizerBase,
        before: str,
        after: str,
        seconds: Sequence[float],
        grid: tuple[int, ...],
    ) -> list[Piece]:
        *shown, _ = super().pieces(tokenizer, before, "", seconds, grid)
        return [*shown, Vector(self._newline), words(tokenizer, after, self.behind)]
