"""Value norm: tokens with the largest values (VaN of InfiniPot-V, 2506.15745, over a layer's heads and unpooled)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.kv_evict.kv_evict import KVEvict, LayerTokens


@dataclass(frozen=True, kw_only=True)
class ValueNormEvict(KVEvict):
    """What attention adds to a hidden state is a mean of values: a token whose value is small adds little.

    >>> import torch
    >>> values = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [2.0, 0.0]]])
    >>> tokens = torch.arange(4)
    >>> layer = LayerTokens(0, values, values, tokens, torch.tensor([-1, 0, 0, 1]), tokens)
    >>> ValueNormEvict(tokens=3).keep(layer, 2).tolist()
    [0, 1, 3]
    """

    def scores(self, layer: LayerTokens) -> Float[Tensor, " n"]:
        """The mean of the heads' norms."""
        return layer.values.float().norm(dim=-1).mean(0)
