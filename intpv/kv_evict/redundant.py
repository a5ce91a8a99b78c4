"""Redundant: tokens go whose keys are like those of their place in the newest frames (TaR of InfiniPot-V)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from intpv.errors import BadInput
from intpv.kv_evict.kv_evict import KVEvict, LayerTokens


@dataclass(frozen=True, kw_only=True)
class RedundantEvict(KVEvict):
    """The newest frames stay, later ones first where the cap cuts into them. Of the others, those tokens stay whose
    cosine to the newest frames' keys at the same place is smallest, a mean over these frames and the layer's heads.

    Keys are compared as they were before RoPE, where a patch that does not change has one key whatever its time;
    arXiv 2506.15745 compares them rotated, and head by head.

    >>> angles, keys = torch.zeros(4, 2), torch.tensor([[[0.0] * 4, [1.0, 0, 0, 0], [0, 1.0, 0, 0], [1.0, 0, 0, 0]]])
    >>> frames = torch.tensor([-1, 0, 1, 2])  # one token each: the first is like the last, the second is not
    >>> layer = LayerTokens(0, keys, keys, torch.arange(4), frames, torch.zeros(4, dtype=torch.long), angles)
    >>> RedundantEvict(tokens=3).keep(layer, 2).tolist()
    [0, 2, 3]
    """

    recent: float | int = 0.25  # share of the frames that are the newest; one at least

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.recent) not in (float, int) or not 0 < self.recent <= 1:
            raise BadInput(f"kv_evict.recent must be above 0 and at most 1, a share of the frames, got {self.recent}")

    def scores(self, layer: LayerTokens) -> Float[Tensor, " n"]:
        """BadInput where keys are not rotated as a whole, and by one table."""
        keys, places = F.normalize(_before_rope(layer), dim=-1), layer.places
        ids = layer.frames[layer.frames >= 0].unique()
        newest = layer.frames >= ids[-max(1, int(self.recent * len(ids)))]
        sums = keys.new_zeros(len(keys), int(places.max()) + 1, keys.shape[2])
        sums.index_add_(1, places[newest], keys[:, newest])
        counts = places[newest].bincount(minlength=sums.shape[1]).clamp_min(1)
        likeness = (keys * (sums / counts[:, None])[:, places]).sum(-1).mean(0)
        return torch.where(newest, 2 + layer.tokens.float(), -likeness)


def _before_rope(layer: LayerTokens) -> Float[Tensor, "H_kv n d"]:
    angles, channels = layer.angles, layer.keys.shape[2]
    if angles is None or 2 * angles.shape[1] != channels:
        given = "layers or channels differ" if angles is None else f"{2 * angles.shape[1]} are rotated"
        raise BadInput(f"kv_evict=redundant needs one rotation of all {channels} channels of a key, {given}")
    own = angles[layer.tokens.to(angles.device)].to(layer.keys.device)
    cos, sin = own.cos(), own.sin()
    first, second = layer.keys.float().chunk(2, -1)
    return torch.cat([first * cos + second * sin, second * cos - first * sin], -1)
