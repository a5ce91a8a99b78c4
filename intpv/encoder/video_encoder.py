"""VideoEncoder: what every encoder offers. A tower reads groups of frames, a projector takes them to LLM width."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from math import prod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from intpv.encoder.prefix_pieces import Piece, first_words, words
from intpv.encoder.tower_config import TowerConfig
from intpv.errors import BadInput
from intpv.layout import Layout, Span


class VideoEncoder(nn.Module, ABC):
    """Tower and projector; the caller freezes them. State dict: `tower.*`, `projector.0.*`, `projector.2.*`.

    The two halves are separate because the tower's output is what a cache should hold: it is E channels wide, the
    projector's D, and E is four times smaller on Video-LLaVA.
    """

    mixes_time: bool  # False: frames do not see each other, so every rearranger is a no-op
    frames_per_slot: int = 1  # t, frames that become one slot of tokens; N and F / t are counted in slots
    behind: str = ""  # a special token that text inside a prompt is cut behind
    resizes: bool = False  # True: takes fewer pixels, its position embeddings interpolated
    tower: nn.Module

    def __init__(self, config: TowerConfig, llm_width: int, select_layer: int):
        super().__init__()
        self.config = config
        self.depth = config.depth(select_layer)  # blocks whose output is used; later ones load but never run
        self.projector = nn.Sequential(
            nn.Linear(config.hidden_size, llm_width), nn.GELU(), nn.Linear(llm_width, llm_width)
        )

    @property
    def group_length(self) -> int:
        """N, frames per group the tower was trained on."""
        return self.config.num_frames

    @property
    def image_size(self) -> int:
        """Height and width of a frame, pixels."""
        return self.config.image_size

    @property
    def tokens_per_frame(self) -> int:
        """P, patches and the CLS token."""
        return self.config.num_patches + 1

    @property
    def description(self) -> dict:
        """Class and sizes: what a checkpoint states and a loader compares."""
        return {"encoder": type(self).__name__, "depth": self.depth, **asdict(self.config)}

    @property
    def attention(self) -> str:
        """How the tower computes attention, by transformers' name for it."""
        return getattr(getattr(self.tower, "config", None), "_attn_implementation", "sdpa")

    def forward(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P D"]:
        """Normalised pixels to tokens of LLM width."""
        return self.project(self.features(groups))

    def features(self, groups: Float[Tensor, "m N C H W"], side: int | None = None) -> Float[Tensor, "m N P E"]:
        """The tower's output before the projector; `side` where frames are `smaller`. Raises BadInput for frames of
        another size than the tower's."""
        channels, height, width = groups.shape[-3:]
        size = self.image_size if side is None else side * self.config.patch_size
        if (height, width) != (size, size):
            raise BadInput(f"the tower takes {size}x{size} pixels, got {height}x{width}")
        if channels != self.config.num_channels:
            raise BadInput(f"the tower takes {self.config.num_channels} channels, got {channels}")
        if not groups.is_floating_point():
            raise BadInput(f"the tower takes normalised floating-point pixels, got {groups.dtype}")
        return self.look(groups.to(next(self.tower.parameters()).dtype))

    def smaller(self, frames: Float[Tensor, "F C H W"], side: int) -> Float[Tensor, "F C h w"]:
        """Normalised frames with as many pixels as `side` x `side` patches have. BadInput for a tower that takes no
        other size, or has no more patches.
        """
        if not self.resizes:
            raise BadInput(f"encoder={type(self).__name__} takes {self.image_size}x{self.image_size} pixels alone")
        if side > self.image_size // self.config.patch_size:
            has = self.image_size // self.config.patch_size
            raise BadInput(f"budget.side must be at most the tower's {has} rows of patches, got {side}")
        size = side * self.config.patch_size
        return functional.interpolate(frames, (size, size), mode="bicubic", antialias=True, align_corners=False)

    def project(self, features: Float[Tensor, "m N P E"]) -> Float[Tensor, "m N P D"]:
        """The tower's output, fresh or from a cache of any float type, to LLM width."""
        return self.projector(features.to(next(self.projector.parameters()).dtype))

    @property
    def grid(self) -> tuple[int, ...]:
        """The shape of a slot's tokens: (P,), or (rows, columns) where the decoder is told of both; of a usual video
        where that depends on it."""
        return (self.tokens_per_frame,)

    @property
    def trained_visual_length(self) -> int:
        """Visual tokens of a training clip."""
        return self.group_length * self.tokens_per_frame

    def pieces(
        self,
        tokenizer: PreTrainedTokenizerBase,
        before: str,
        after: str,
        seconds: Sequence[float],
        grid: tuple[int, ...],
    ) -> list[Piece]:
        """The prefix: text before, a span per slot, text after. `seconds` of each frame, `grid` of a slot's tokens."""
        frames = [Span(prod(grid), time) for time in seconds]
        return [first_words(tokenizer, before), *frames, words(tokenizer, after, self.behind)]

    def inputs(self, tokens: Float[Tensor, "F *P W"], layout: Layout) -> tuple[Float[Tensor, "V D"], dict[str, Any]]:
        """What of the projected tokens are embeddings, and what the decoder is given beside them."""
        return tokens.flatten(0, -2), {}

    @abstractmethod
    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        """Run the tower on checked pixels of its own dtype."""
