"""Random: any N frames share a group, in any order. A control: does it matter which frames the tower sees together?"""

from dataclasses import dataclass
from hashlib import blake2b

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.bounds import check_whole
from intpv.rearranger.rearranger import Rearranger


@dataclass(frozen=True)
class Random(Rearranger):
    """A permutation of all frames per video and seed, restored to order of time after encoding.

    >>> order = Random(seed=0).order(4, group_length=2, video_id="cat")
    >>> order.tolist()  # of another video, or with another seed, another one
    [[3, 0], [2, 1]]
    >>> Random().merge(order[..., None].float(), order).flatten().tolist()  # each frame's token is its number
    [0.0, 1.0, 2.0, 3.0]
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("rearranger.seed", self.seed, 0)

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        # sorted by hash, not drawn: the same on every machine, in every process and with every version of torch
        def draw(frame: int) -> bytes:
            return blake2b(f"{self.seed}/{frame}/{video_id}".encode()).digest()

        return torch.tensor(sorted(range(m * n), key=draw)).view(m, n)
