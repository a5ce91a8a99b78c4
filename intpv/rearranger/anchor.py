"""Anchor: the first frame leads every group, the others follow strided: all groups share one point of reference."""

import torch
from jaxtyping import Int
from torch import Tensor

from intpv.rearranger.rearranger import Rearranger


class Anchor(Rearranger):
    """ceil((F - 1) / (N - 1)) groups, of which each shows N - 1 of the frames behind the first; where they leave places
    over, frames spread over the video are shown twice. The tokens of a frame shown more than once are averaged.

    >>> Anchor().order(6, group_length=3).tolist()
    [[0, 1, 3], [0, 1, 4], [0, 2, 5]]
    """

    def table(self, m: int, n: int, video_id: str) -> Int[Tensor, "groups N"]:
        if n == 1:  # a tower that sees frames one by one has nothing to share
            return torch.arange(m)[:, None]
        others = m * n - 1
        groups = -(-others // (n - 1))
        places = groups * (n - 1)
        behind = 1 + torch.arange(places) * others // places
        return torch.cat([torch.zeros(groups, 1, dtype=torch.int64), behind.view(n - 1, groups).T], 1)
