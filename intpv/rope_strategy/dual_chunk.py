"""Dual chunk attention: positions begin anew in every chunk; older chunks stand at one distance (arXiv 2402.17463)."""

import math
from dataclasses import dataclass

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.partition import Partition, chunks
from intpv.rope_strategy.partitioned import PartitionedStrategy

LEAST = 8  # tokens of the trained length, from which the chunks follow


@dataclass(frozen=True, kw_only=True)
class DualChunk(PartitionedStrategy):
    """Chunks of c = C - L/8 tokens, no position beyond C = 3/4 L: the sizes of the authors' code.

    s says no more than that the context is longer than in training, and by how much attention is sharpened.

    >>> import torch
    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=4096)
    >>> own, before, older = DualChunk().divided(Layout(), geometry, 4.0).segments  # chunks of 2560, C = 3072
    >>> [one.query(torch.tensor([10000])).item() for one in (own, before, older)]  # 10000 = 3 * 2560 + 2320
    [2320, 3072, 3072]
    """

    def attention_scale(self, factor: float) -> float:
        """0.05 ln s + 1, as in the authors' code; temperature=1 is the paper's, which leaves it out."""
        return 0.05 * math.log(factor) + 1.0

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        length = geometry.trained_length
        if length < LEAST:
            raise BadInput(f"rope_strategy=dual_chunk needs a trained length of {LEAST} tokens, got {length}")
        return chunks(length * 3 // 4 - length // 8, length * 3 // 4)
