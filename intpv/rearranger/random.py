"""Random: any N frames share a group, in any order. A control: does it matter which frames the tower sees together?"""

from dataclasses import dataclass
from hashlib import blake2b

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


@dataclass(frozen=True)
class Random(Rearranger):
    """A permutation of all frames per video and seed, restored to order of time after encoding."""

    seed: int = 0

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "m N"]:
        # sorted by hash, not drawn: the same on every machine, in every process and with every version of torch
        def draw(frame: int) -> bytes:
            return blake2b(f"{self.seed}/{frame}/{video_id}".encode()).digest()

        return torch.tensor(sorted(range(m * n), key=draw)).view(m, n)
