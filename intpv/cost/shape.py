"""Shape: the sizes of a Video-LLM that its cost follows from, by name, or with some of them changed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from intpv.bounds import check_whole
from intpv.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A LLaMA-like decoder, a CLIP-like tower with attention along time, and a two-layer projector between them.

    The decoder's linear layers have no biases and its head is not tied to the embedding; the tower's have biases.
    """

    layers: int  # L, decoder blocks
    heads: int  # H, query heads per block
    kv_heads: int  # H_kv, key and value heads per block; divides heads
    head_dim: int  # d, channels per head
    hidden: int  # D, channels of the decoder
    intermediate: int  # channels inside its MLP (gate, up, down)
    vocabulary: int  # rows of the token embedding, and of the head
    tower_layers: int  # blocks that are loaded
    tower_run: int  # blocks that run: later ones only weigh
    tower_hidden: int  # E, channels of the tower
    tower_intermediate: int  # channels inside its MLP
    image_size: int  # pixels, height and width of a frame
    patch_size: int  # pixels; divides image_size
    channels: int = 3  # of a pixel
    group: int = 8  # N, frames per pass of the tower

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise BadInput(f"{field.name} must be a whole number of at least 1, got {getattr(self, field.name)}")
        for whole, part in (("heads", "kv_heads"), ("image_size", "patch_size")):
            if getattr(self, whole) % getattr(self, part):
                raise BadInput(
                    f"{whole} must be a multiple of {part}={getattr(self, part)}, got {getattr(self, whole)}"
                )
        if self.tower_run > self.tower_layers:
            raise BadInput(f"tower_run must be at most tower_layers={self.tower_layers}, got {self.tower_run}")

    @property
    def patches(self) -> int:
        """Tokens per frame as the paper counts them, without CLS."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def tokens_per_frame(self) -> int:
        """P, tokens per frame as the released code keeps them, with CLS."""
        return self.patches + 1

    def groups(self, frames: int) -> int:
        """m = F / N. Raises BadInput where that is not a whole number of at least 1."""
        if frames < 1 or frames % self.group:
            raise BadInput(f"frames must be a multiple of {self.group}, the tower's group length, got {frames}")
        return frames // self.group


SHAPES = {
    # Vicuna-7B v1.5, LanguageBind_Video_merge (features of the last but one block)
    "video_llava_7b": Shape(
        layers=32,
        heads=32,
        kv_heads=32,
        head_dim=128,
        hidden=4096,
        intermediate=11008,
        vocabulary=32000,
        tower_layers=24,
        tower_run=23,
        tower_hidden=1024,
        tower_intermediate=4096,
        image_size=224,
        patch_size=14,
    )
}


def read(name: str, changes: Mapping[str, Any] = {}) -> Shape:
    """The named shape with other sizes, all at once. BadInput names what is not known or not a number."""
    if name not in SHAPES:
        raise BadInput(f"shape must be one of {', '.join(SHAPES)}, got {name}")
    for key, value in changes.items():
        check_whole(key, value)
    return replace(SHAPES[name], **changes)
