"""Qwen2.5-VL: two frames are one slot, a windowed tower, any resolution; M-RoPE whose temporal axis counts seconds.

A slot's token is at (p + late, p + row, p + column), p being where the text before it ended; late is the slot's seconds
x tokens_per_second, rounded down. Text goes on behind the grid, as in the forward of transformers 5, or behind the last
of all three axes, as in the original code and transformers 4: `text_after`.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from intpv.encoder.prefix_pieces import Piece, first_words, words
from intpv.errors import BadInput
from intpv.layout import Span
from intpv.model.adapter import Adapter

TEXT_AFTER = ("grid", "video")


class Qwen25VL(Adapter):
    """Cached is what the decoder gets: the tower merges patches to the decoder's width itself."""

    architecture = "Qwen2_5_VLForConditionalGeneration"
    repository = "Qwen/Qwen2.5-VL-7B-Instruct"
    frames_per_slot = 2

    def __init__(
        self,
        checkpoint: PreTrainedModel,
        group_length: int,
        trained_visual_length: int,
        usual_grid: Sequence[int] = (13, 23),  # rows, columns of a 16:9 video at 360 lines
        text_after: str = "grid",
    ):
        super().__init__(checkpoint, checkpoint.model.visual, group_length, trained_visual_length, tuple(usual_grid))
        vision = checkpoint.config.vision_config
        if vision.temporal_patch_size != self.frames_per_slot:
            raise BadInput(f"temporal_patch_size must be {self.frames_per_slot}, got {vision.temporal_patch_size}")
        if text_after not in TEXT_AFTER:
            raise BadInput(f"model.text_after must be one of {', '.join(TEXT_AFTER)}, got {text_after}")
        self._patch, self._merge = vision.patch_size, vision.spatial_merge_size
        self._tokens_per_second = getattr(vision, "tokens_per_second", 1)
        self._behind_video = text_after == "video"

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
        times = mean_times(seconds, self.frames_per_slot)
        # seconds between frames, as even sampling has them: what the processor calls 1 / sampled_fps; up to where the
        # last picture first stands, for while it is repeated no time goes by
        spacing = (seconds[-1] - seconds[0]) / max(1, seconds.index(seconds[-1]))
        step = self._tokens_per_second * self.frames_per_slot * spacing
        late = [int(index * step + 1e-4) for index in range(len(times))]  # times are measured: 0.99999 is 1
        end = max(rows, columns, late[-1] + 1) if self._behind_video else max(rows, columns)
        ends = [0] * (len(times) - 1) + [end]
        slots = [
            Span(rows * columns, time, (rows, columns), shift, advance)
            for time, shift, advance in zip(times, late, ends, strict=True)
        ]
        return [first_words(tokenizer, before), *slots, words(tokenizer, after, self.behind)]

    def _slots(self, slots: Float[Tensor, "N t C H W"]) -> Float[Tensor, "N rows columns D"]:
        patches, grid = cut(slots, self._patch, self._merge)
        x = self.tower(patches, grid_thw=grid.to(patches.device)).pooler_output
        rows, columns = (int(side) // self._merge for side in grid[0, 1:])
        return rearrange(x, "(n h w) d -> n h w d", h=rows, w=columns)


def cut(slots: Float[Tensor, "N t C H W"], patch: int, merge: int) -> tuple[Float[Tensor, "patches pixels"], Tensor]:
    """Patches in the tower's order, those that will be merged side by side; and (slots, rows, columns) of patches."""
    height, width = slots.shape[-2:]
    if height % (patch * merge) or width % (patch * merge):
        raise BadInput(f"the tower takes sides in multiples of {patch * merge} pixels, got {height}x{width}")
    order = "n t c (h mh ph) (w mw pw) -> (n h w mh mw) (c t ph pw)"
    patches = rearrange(slots, order, mh=merge, mw=merge, ph=patch, pw=patch)
    return patches, torch.tensor([[len(slots), height // patch, width // patch]])


def mean_times(seconds: Sequence[float], together: int) -> list[float]:
    """A slot's time: the middle between its first and its last frame. BadInput where times run backwards."""
    if any(later < earlier for earlier, later in pairwise(seconds)):
        raise BadInput("the times of frames must not run backwards for a model whose positions count seconds")
    starts = range(0, len(seconds), together)
    return [(seconds[start] + seconds[start + together - 1]) / 2 for start in starts]
