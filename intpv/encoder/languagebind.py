"""LanguageBind: Video-LLaVA's own video encoder, with temporal attention over groups of N frames (arXiv 2310.01852)."""

from itertools import islice
from math import isqrt

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import ACT2FN

from intpv.encoder.tower_config import TowerConfig
from intpv.encoder.video_encoder import VideoEncoder

# The LanguageBind video tower: a CLIP vision transformer whose blocks first attend along time, then inside each frame.
#
# Written from the layout and computation order of the original (PKU-YuanGroup/Video-LLaVA at 984e65b); its parameter
# names, misspelt `pre_layrnorm` included, so that an original state dict loads with strict=True.


class Attention(nn.Module):
    """Multi-head attention along the second axis; `rows` of the third axis do not see each other. No mask."""

    def __init__(self, config: TowerConfig):
        super().__init__()
        width = config.hidden_size
        self.head_dim = width // config.num_attention_heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch length rows E"]) -> Float[Tensor, "batch length rows E"]:
        # rows and heads lie next to each other in memory, so each (row, head) pair can be a head of its own and
        # neither attention, along time or space, needs a permuted copy
        q, k, v = (
            project(x).view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(out.transpose(1, 2).reshape(x.shape))


class MLP(nn.Module):
    """Two linear layers with the configured activation between them."""

    def __init__(self, config: TowerConfig):
        super().__init__()
        self.activation = ACT2FN[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Float[Tensor, "*batch E"]) -> Float[Tensor, "*batch E"]:
        return self.fc2(self.activation(self.fc1(x)))


class Block(nn.Module):
    """Time slot, attention along time, attention inside each frame, MLP; all of them stay in the residual stream."""

    def __init__(self, config: TowerConfig):
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.temporal_embedding = nn.Parameter(torch.randn(1, config.num_frames, width) * width**-0.5)
        self.temporal_layer_norm1, self.temporal_attn = nn.LayerNorm(width, eps), Attention(config)
        self.layer_norm1, self.self_attn = nn.LayerNorm(width, eps), Attention(config)
        self.layer_norm2, self.mlp = nn.LayerNorm(width, eps), MLP(config)

    def forward(self, x: Float[Tensor, "m N P E"]) -> Float[Tensor, "m N P E"]:
        x = x + time_slots(self.temporal_embedding, x.shape[1])[:, :, None]
        x = x + self.temporal_attn(self.temporal_layer_norm1(x))
        frames = x.flatten(0, 1)
        frames = frames + self.self_attn(self.layer_norm1(frames)[:, :, None])[:, :, 0]
        frames = frames + self.mlp(self.layer_norm2(frames))
        return frames.view(x.shape)


class Embeddings(nn.Module):
    """Pixels to patch tokens with position, the CLS token first, patches row by row."""

    def __init__(self, config: TowerConfig):
        super().__init__()
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.patch_embedding = nn.Conv2d(config.num_channels, width, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding(config.num_patches + 1, width)
        nn.init.normal_(self.position_embedding.weight, std=width**-0.5)
        self.register_load_state_dict_pre_hook(drop_position_ids)

    def forward(self, frames: Float[Tensor, "F C H W"]) -> Float[Tensor, "F P E"]:
        size = self.patch_embedding.stride[0]
        pixels = rearrange(frames, "f c (h p) (w q) -> f (h w) (c p q)", p=size, q=size)
        # strides equal the kernel, so the convolution is a matrix product: on a CPU nearly twice as fast
        patches = F.linear(pixels, self.patch_embedding.weight.flatten(1))
        cls = self.class_embedding.expand(len(frames), 1, -1)
        return torch.cat([cls, patches], dim=1) + self._positions(patches.shape[1])

    def _positions(self, patches: int) -> Float[Tensor, "P E"]:
        """Of fewer patches than trained: bicubic between those of training, as vision transformers are taken to other
        sizes (arXiv 2010.11929, 3.2)."""
        trained = self.position_embedding.weight
        if patches == len(trained) - 1:
            return trained
        side, wanted = isqrt(len(trained) - 1), isqrt(patches)
        square = rearrange(trained[1:], "(h w) e -> 1 e h w", h=side)
        fewer = F.interpolate(square, (wanted, wanted), mode="bicubic", align_corners=False)
        return torch.cat([trained[:1], rearrange(fewer, "1 e h w -> (h w) e")])


class LanguageBindTower(nn.Module):
    """Groups of frames to hidden states; `depth` blocks run, without post_layernorm (loaded, never used)."""

    def __init__(self, config: TowerConfig):
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.embeddings = Embeddings(config)
        self.pre_layrnorm = nn.LayerNorm(width, eps)
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))})
        self.post_layernorm = nn.LayerNorm(width, eps)

    def forward(self, groups: Float[Tensor, "m N C H W"], depth: int) -> Float[Tensor, "m N P E"]:
        x = self.pre_layrnorm(self.embeddings(groups.flatten(0, 1))).unflatten(0, groups.shape[:2])
        for block in islice(self.encoder["layers"].children(), depth):
            x = block(x)
        return x


def time_slots(slots: Float[Tensor, "1 slots E"], frames: int) -> Float[Tensor, "1 N E"]:
    """The learned time slots, linearly interpolated (half-pixel centres) to `frames` slots where the two differ."""
    if frames == slots.shape[1]:
        return slots
    return F.interpolate(slots.transpose(1, 2), size=frames, mode="linear", align_corners=False).transpose(1, 2)


def drop_position_ids(module: nn.Module, state_dict: dict, prefix: str, *_) -> None:
    """Forget the one non-parameter that old transformers versions stored."""
    state_dict.pop(f"{prefix}position_ids", None)


class LanguageBind(VideoEncoder):
    """The encoder rearrangement is about: a frame's tokens depend on the other frames of its group and their order.

    `**tower` are TowerConfig's fields. `select_layer` counts as in HF's hidden_states (-2 for Video-LLaVA: the last but
    one block). A group of another length than N is read with interpolated time slots.
    """

    mixes_time = True
    resizes = True

    def __init__(self, *, llm_width: int, select_layer: int, **tower):
        config = TowerConfig(**tower)
        super().__init__(config, llm_width, select_layer)
        self.tower = LanguageBindTower(config)

    def look(self, groups: Float[Tensor, "m N C H W"]) -> Float[Tensor, "m N P E"]:
        return self.tower(groups, self.depth)
