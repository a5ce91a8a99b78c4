"""Attention mass: tokens stay that the latest ones attend to most (SnapKV's observation window, 2404.14469)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.bounds import check_whole
from intpv.kv_evict.kv_evict import KVEvict, LayerTokens


@dataclass(frozen=True, kw_only=True)
class AttentionMassEvict(KVEvict):
    """The latest tokens are those of the prefix, frames and the text behind them: a question is not read yet.

    SnapKV chooses head by head, pools over neighbours and keeps the window itself; here a layer's heads are one mean,
    and the window's own tokens are scored by those of it that see them.

    >>> keys, queries = torch.tensor([[[0.0], [5.0], [0.0], [1.0]]]), torch.ones(1, 1, 1)
    >>> tokens = torch.arange(4)
    >>> layer = LayerTokens(0, keys, keys, tokens, torch.tensor([-1, 0, 1, 2]), tokens, queries=queries)
    >>> AttentionMassEvict(tokens=3).keep(layer, 2).tolist()
    [0, 1, 3]
    """

    observers: int = 32  # latest tokens of the prefix

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("kv_evict.observers", self.observers)

    def scores(self, layer: LayerTokens) -> Float[Tensor, " n"]:
        """The mean share of attention over heads and over the observers that see a token."""
        if layer.queries is None:
            raise ValueError("attention is told by queries, and none were kept as the prefix was read")
        queries, keys, tokens = layer.queries.float(), layer.keys.float(), layer.tokens
        heads, count, channels = queries.shape
        grouped = queries.view(len(keys), heads // len(keys), count, channels)
        observers = tokens[-1] - torch.arange(count - 1, -1, -1, device=tokens.device)
        seen = tokens <= observers[:, None]
        logits = (grouped @ keys[:, None].transpose(2, 3) * layer.scaling).masked_fill(~seen, -torch.inf)
        return logits.softmax(-1).sum(2).mean((0, 1)) / seen.sum(0)
