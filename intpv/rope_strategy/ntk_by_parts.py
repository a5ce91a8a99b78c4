"""NTK by parts: slow channels as linear, those in the middle as ntk, fast ones as trained, two ramps between."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.yarn import slowness

FROM_NTK, TO_LINEAR = 1.25, 0.75  # turns inside the trained length, found by the authors on LLaMA
FROM_TRAINED, TO_SCALED = 16.0, 2.0


@dataclass(frozen=True, kw_only=True)
class NTKByPartsScaling(NTKScaling):
    """What the authors of YaRN published before it (jquesnelle/yarn, LlamaPartNTKScaledRotaryEmbedding); its paper
    (arXiv 2309.00071) calls by parts what is here yarn with temperature 1.

    >>> geometry = RopeGeometry(head_dim=8, base=256.0, trained_length=256)  # 41, 10, 2.5 and 0.6 turns in 256 tokens
    >>> slowed = NTKByPartsScaling().inv_freq(geometry, 4.0).double() / baseline_inv_freq(geometry)
    >>> slowed.round(decimals=2).tolist()  # ntk's are 1, 0.63, 0.4 and 0.25
    [1.0, 0.88, 0.6, 0.25]
    """

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """In rad per token, float32: ntk's mixed with linear's, then both with the table of training."""
        trained, ntk = baseline_inv_freq(geometry).double(), super().inv_freq(geometry, factor).double()
        # sums of a table and a part of a difference, so that s = 1, where the differences are 0, gives the table itself
        scaled = ntk + slowness(geometry, FROM_NTK, TO_LINEAR) * (trained / factor - ntk)
        return (trained + slowness(geometry, FROM_TRAINED, TO_SCALED) * (scaled - trained)).float()
