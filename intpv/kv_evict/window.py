"""Window: the first tokens, attention sinks, and the latest (StreamingLLM, 2309.17453; here at their own positions)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.bounds import check_whole
from intpv.kv_evict.kv_evict import KVEvict, LayerTokens


@dataclass(frozen=True, kw_only=True)
class WindowEvict(KVEvict):
    """The same in every layer. Text at the start counts among the sinks: where it is longer, only the latest stay.

    >>> tokens, x = torch.arange(6), torch.zeros(1, 6, 4)
    >>> layer = LayerTokens(0, x, x, tokens, torch.tensor([-1, 0, 0, 1, 1, 2]), tokens)
    >>> WindowEvict(tokens=4, sinks=2).keep(layer, 3).tolist()
    [0, 1, 4, 5]
    """

    sinks: int = 4  # tokens at the start of the prefix

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("kv_evict.sinks", self.sinks, 0)

    def scores(self, layer: LayerTokens) -> Float[Tensor, " n"]:
        return torch.where(layer.tokens < self.sinks, torch.inf, layer.tokens.float())
