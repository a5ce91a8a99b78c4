"""Qwen3-VL: two frames are one slot, its time written before it; M-RoPE with interleaved axes, a grid for every slot.

Deepstack: what some of the tower's blocks see is added to the first layers of the decoder, at the places of the video.
"""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.encoder.prefix_pieces import Piece, first_words, words
from intpv.errors import BadInput
from intpv.layout import Layout, Span
from intpv.model.adapter import Adapter
from intpv.model.qwen2_5_vl import cut, mean_times

START, END = "<|vision_start|>", "<|vision_end|>"


class Qwen3VL(Adapter):
    """Cached are the embeddings with the K deepstack features side by side: W = (1 + K) x D."""

    architecture = "Qwen3VLForConditionalGeneration"
    repository = "Qwen/Qwen3-VL-8B-Instruct"
    frames_per_slot = 2

    def __init__(
        self,
        checkpoint: PreTrainedModel,
        group_length: int,
        trained_visual_length: int,
        usual_grid: Sequence[int] = (22, 40),  # rows, columns of a 16:9 video at 720 lines
    ):
        super().__init__(checkpoint, checkpoint.model.visual, group_length, trained_visual_length, tuple(usual_grid))
        vision = checkpoint.config.vision_config
        if vision.temporal_patch_size != self.frames_per_slot:
            raise BadInput(f"temporal_patch_size must be {self.frames_per_slot}, got {vision.temporal_patch_size}")
        self._patch, self._merge = vision.patch_size, vision.spatial_merge_size
        self._parts = 1 + len(vision.deepstack_visual_indexes)

    def look(self, groups: Float[Tensor, "m N t C H W"]) -> Float[Tensor, "m N rows columns D"]:
        return torch.stack([self._slots(slots) for slots in groups])

    def pieces(
        self,
        tokenizer: PreTrainedTokenizerBase,
        before: str,
        after: str,
        seconds: Sequence[float],
        grid: tuple[int, ...],
    ) -> list[Piece]:
        rows, columns = grid
        found: list[Piece] = []
        said = before
        for time in mean_times(seconds, self.frames_per_slot):
            # a text and the time behind it are cut into tokens as the one string that they are
            text = f"{said}<{time:.1f} seconds>{START}"
            found.append(words(tokenizer, text, self.behind) if found else first_words(tokenizer, text))
            found.append(Span(rows * columns, time, (rows, columns), advance=max(rows, columns)))
            said = END
        return [*found, words(tokenizer, said + after, self.behind)]

    def inputs(self, tokens: Float[Tensor, "F *P W"], layout: Layout) -> tuple[Float[Tensor, "V D"], dict[str, Any]]:
        first, *deep = tokens.flatten(0, -2).chunk(self._parts, -1)
        visual = torch.cat([torch.full((span.length,), span.is_frame) for span in layout.spans])
        return first, {"visual_pos_masks": visual[None].to(first.device), "deepstack_visual_embeds": deep}

    def _slots(self, slots: Float[Tensor, "N t C H W"]) -> Float[Tensor, "N rows columns D"]:
        patches, grid = cut(slots, self._patch, self._merge)
        out = self.tower(patches, grid_thw=grid.to(patches.device))
        rows, columns = (int(side) // self._merge for side in grid[0, 1:])
        side_by_side = torch.cat([out.pooler_output, *out.deepstack_features], -1)
        return rearrange(side_by_side, "(n h w) d -> n h w d", h=rows, w=columns)
