"""YaRN: slow channels are interpolated, fast ones kept, a ramp between; and a temperature (arXiv 2309.00071)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.strategy import RopeStrategy


@dataclass(frozen=True, kw_only=True)
class YarnScaling(RopeStrategy):
    """As in transformers, whose ramp ends on whole channels. BadInput if the two betas would reverse the ramp.

    On a checkpoint that scales RoPE itself: turns are counted on its own table, channels of which are kept or slowed
    by s, and the temperature multiplies its own.

    >>> geometry = RopeGeometry(head_dim=8, base=256.0, trained_length=256)  # 41, 10, 2.5 and 0.6 turns in 256 tokens
    >>> slowed = YarnScaling().inv_freq(geometry, 4.0) / baseline_inv_freq(geometry)
    >>> slowed.round(decimals=2).tolist()  # the first channel makes more than 32 turns, the last one less than 1
    [1.0, 0.75, 0.5, 0.25]
    >>> round(YarnScaling().attention_scale(4.0), 4)  # 0.1 ln 4 + 1
    1.1386
    """

    beta_fast: float | int = 32.0  # turns inside the trained length; channels that make more are kept
    beta_slow: float | int = 1.0  # turns inside the trained length; channels that make fewer are interpolated

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_fast", "beta_slow"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise BadInput(f"rope_strategy.{name} must be above 0, got {value}")
            object.__setattr__(self, name, float(value))  # YAML's 32 is an int
        if self.beta_fast <= self.beta_slow:
            raise BadInput(
                f"rope_strategy.beta_fast must be above beta_slow, got {self.beta_fast} and {self.beta_slow}"
            )

    def attention_scale(self, factor: float) -> float:
        """0.1 ln s + 1 (Eq 22), unless `temperature` names another; 1.0 leaves it out."""
        return 0.1 * math.log(factor) + 1.0

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """(1 - ramp) b^(-2i/d) + ramp b^(-2i/d) / s in rad per token."""
        # written as one product, so that s = 1 gives the table itself and not a sum of two rounded halves
        slowed = 1 - slowness(geometry, self.beta_fast, self.beta_slow) * (1 - 1 / factor)
        return (baseline_inv_freq(geometry).double() * slowed).float()


def slowness(geometry: RopeGeometry, fast: float, slow: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
    """A ramp over channels, float64: 0 for those that make more than `fast` turns inside the trained length, 1 below
    `slow`. It ends on whole channels.

    >>> geometry = RopeGeometry(head_dim=8, base=256.0, trained_length=256)  # 41, 10, 2.5 and 0.6 turns in 256 tokens
    >>> slowness(geometry, 16.0, 2.0).tolist()
    [0.0, 0.3333333333333333, 0.6666666666666666, 1.0]
    """
    last = geometry.head_dim - 1  # not d/2 - 1: transformers' bound, and the original's
    low = max(math.floor(_channel(geometry, fast)), 0)
    high = min(math.ceil(_channel(geometry, slow)), last)
    width = high - low if high != low else 0.001  # a step instead of a ramp
    channels = torch.arange(geometry.head_dim // 2, dtype=torch.float64)
    return ((channels - low) / width).clamp(0, 1)


def _channel(geometry: RopeGeometry, turns: float) -> float:
    """The (fractional) index i of the channel that makes `turns` turns inside the trained length."""
    angle_per_token = 2 * math.pi * turns / geometry.trained_length
    if not geometry.own:
        return -geometry.head_dim * math.log(angle_per_token) / (2 * math.log(geometry.base))
    # between two channels of a table of any shape: by the logarithm, in which a plain table is a straight line
    table = baseline_inv_freq(geometry).double()
    table = table[table > 0].log()  # channels that do not turn at all have no place on it
    step = min(max(int((table > math.log(angle_per_token)).sum()), 1), len(table) - 1)
    before, behind = table[step - 1].item(), table[step].item()
    if before <= behind:  # two channels that turn alike
        return float(step)
    return step - 1 + (before - math.log(angle_per_token)) / (before - behind)
