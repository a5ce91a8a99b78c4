"""TowerConfig: the sizes of a CLIP-like vision tower, under the names of the original's config.json."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from intpv.bounds import check_text, check_whole
from intpv.errors import BadInput


@dataclass(frozen=True)
class TowerConfig:
    """Sizes of one tower. `hidden_act` has no default: a wrong one costs 4e-2 in the output and no error."""

    hidden_size: int  # E, channels
    intermediate_size: int  # channels inside the MLP
    num_hidden_layers: int  # blocks
    num_attention_heads: int
    image_size: int  # pixels, height and width
    patch_size: int  # pixels
    hidden_act: str  # a name of transformers' ACT2FN: gelu (exact) or quick_gelu
    num_frames: int = 8  # N, frames that attend to each other
    num_channels: int = 3
    layer_norm_eps: float = 1e-5

    def __post_init__(self):
        for field in fields(self):
            if field.type is int:
                check_whole(f"encoder.{field.name}", getattr(self, field.name))
        check_text("encoder.hidden_act", self.hidden_act)
        if not isinstance(self.layer_norm_eps, float) or not 0 < self.layer_norm_eps < 1:
            raise BadInput(f"encoder.layer_norm_eps must be between 0 and 1, got {self.layer_norm_eps}")
        heads = self.num_attention_heads
        if self.hidden_size % heads:
            raise BadInput(f"hidden_size must be a multiple of num_attention_heads={heads}, got {self.hidden_size}")
        if self.image_size % self.patch_size:
            raise BadInput(f"image_size must be a multiple of patch_size={self.patch_size}, got {self.image_size}")

    @property
    def num_patches(self) -> int:
        """Patches per frame, the CLS token not counted."""
        return (self.image_size // self.patch_size) ** 2

    def depth(self, select_layer: int | None) -> int:
        """Blocks to run for entry `select_layer` of HF's hidden_states (-1: the last block's output, 0: the input)."""
        entries = self.num_hidden_layers + 1
        if type(select_layer) is not int or not -entries <= select_layer < entries:
            raise BadInput(
                f"select_layer must lie in {-entries}..{entries - 1} for {entries - 1} blocks, got {select_layer}"
            )
        return select_layer % entries

    @classmethod
    def read(cls, source: Mapping[str, Any] | Path) -> "TowerConfig":
        """From the original's config.json (path or dict; its `vision_config` if nested); unknown keys are ignored.

        Raises BadInput when a size is missing and when `add_time_attn` is false: that tower has no temporal weights.
        """
        values = json.loads(source.read_text()) if isinstance(source, Path) else source
        values = values.get("vision_config", values)
        if not values.get("add_time_attn", True):
            raise BadInput("the tower needs temporal attention: add_time_attn must be true, got false")
        known = {field.name for field in fields(cls)}
        missing = {field.name for field in fields(cls) if field.default is MISSING} - values.keys()
        if missing:
            raise BadInput(f"the tower's config must state {', '.join(sorted(missing))}, got only {', '.join(values)}")
        return cls(**{name: value for name, value in values.items() if name in known})
