"""LanguageBind: Video-LLaVA's own video encoder, with temporal attention over groups of N frames (arXiv 2310.01852)."""

from jaxtyping import Float
from torch import Tensor

from intpv.encoder.languagebind_tower import LanguageBindTower
from intpv.encoder.tower_config import TowerConfig
from intpv.encoder.video_encoder import VideoEncoder


class LanguageBind(VideoEncoder):
    """The encoder rearrangement is about: a frame's tokens depend on the other frames of its group and their order.

    `**tower` are TowerConfig's fields. `select_layer` counts as in HF's hidden_states (-2 for Video-LLaVA: the last but
    one block). A group of another length than N is read with interpolated time slots.
    """

    mixes_time = True

    def __init__(self, *, llm_width: int, select_layer: int, **tower):
        config = TowerConfig(**tower)
        super().__init__(config, llm_width, select_layer)
        self.tower = LanguageBindTower(config)

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        return self.tower(groups, self.depth)
