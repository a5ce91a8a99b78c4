"""Log-n: a query that sees n keys is multiplied by ln n / ln L beyond L, so that attention stays sharp (2202.12172)."""

from dataclasses import dataclass

from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.partition import Partition, log_n, sharpened
from intpv.rope_strategy.partitioned import PartitionedStrategy


@dataclass(frozen=True, kw_only=True)
class LogN(PartitionedStrategy):
    """No rotation is changed. `temperature: log_n`, which goes with any strategy, is one number for all queries of a
    context; this one grows with each query's own place (Su 2021, kexue.fm/archives/8823; Chiang and Cholak 2022).

    >>> import torch
    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=16)
    >>> LogN().divided(Layout(), geometry, 4.0).scale(torch.tensor([0, 15, 255])).tolist()
    [1.0, 1.0, 2.0]
    """

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        return sharpened(log_n(geometry.trained_length))
