"""PerFrame: transformers' CLIPVisionModel on single frames, as in the converted Video-LLaVA-7B-hf. It knows no time."""

from dataclasses import asdict

from jaxtyping import Float
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModel

from intpv.encoder.tower_config import TowerConfig
from intpv.encoder.video_encoder import VideoEncoder


class PerFrame(VideoEncoder):
    """The control: every restoring rearranger gives identical tokens here.

    `**tower` are TowerConfig's fields; `num_frames` is the group length that rearrangers are given, the tower itself
    sees one frame at a time. `select_layer` counts as in HF's hidden_states. `keep_cls` false drops the CLS token.
    """

    mixes_time = False
    tower: CLIPVisionModel

    def __init__(self, *, llm_width: int, select_layer: int, keep_cls: bool = True, **tower):
        config = TowerConfig(**tower)
        super().__init__(config, llm_width, select_layer)
        self.keep_cls = keep_cls
        self.tower = CLIPVisionModel(CLIPVisionConfig(**asdict(config)))

    @property
    def tokens_per_frame(self) -> int:
        """P, patches and, if kept, the CLS token."""
        return self.config.num_patches + self.keep_cls

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        # block by block: the model's own forward would run the blocks after `depth` and keep every hidden state
        x = self.tower.pre_layrnorm(self.tower.embeddings(groups.flatten(0, 1)))
        for block in self.tower.encoder.layers[: self.depth]:
            x = block(x, attention_mask=None)
        return x[:, 0 if self.keep_cls else 1 :].unflatten(0, groups.shape[:2])
