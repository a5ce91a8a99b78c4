"""Random: tokens drawn without looking at them. A control: a clever rule has to beat it under the same cap."""

from dataclasses import dataclass
from hashlib import blake2b

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.bounds import check_whole
from intpv.kv_evict.kv_evict import KVEvict, LayerTokens


@dataclass(frozen=True, kw_only=True)
class RandomEvict(KVEvict):
    """Another draw for each seed, video and layer; under a lower cap those are among the ones under a higher.

    >>> tokens, x = torch.arange(6), torch.zeros(1, 6, 4)
    >>> layer = LayerTokens(0, x, x, tokens, torch.tensor([-1, 0, 0, 1, 1, 2]), tokens, video_id="cat")
    >>> few, more = (RandomEvict(tokens=5).keep(layer, count) for count in (2, 3))
    >>> len(few), set(few.tolist()) < set(more.tolist())
    (3, True)
    """

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("kv_evict.seed", self.seed, 0)

    def scores(self, layer: LayerTokens) -> Float[Tensor, " n"]:
        # by hash, not drawn: no generator's version or state can change it
        def draw(token: int) -> int:
            text = f"evict/{self.seed}/{layer.index}/{token}/{layer.video_id}"
            return int.from_bytes(blake2b(text.encode(), digest_size=3).digest())  # 2^24, exact in float32

        drawn = [draw(token) for token in layer.tokens.tolist()]
        return torch.tensor(drawn, dtype=torch.float32, device=layer.tokens.device)
