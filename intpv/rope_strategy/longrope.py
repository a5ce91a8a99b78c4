"""LongRoPE: a factor of its own for every channel, found by a search, and a temperature by the logarithm of length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq
from intpv.rope_strategy.ntk import NTKScaling
from intpv.rope_strategy.strategy import log_n_temperature


@dataclass(frozen=True, kw_only=True)
class LongRopeScaling(NTKScaling):
    """theta_i / lambda_i with lambda as given, whatever s above 1 is, and sqrt(1 + ln s / ln L) as its temperature
    (arXiv 2402.13753; transformers' rope_type longrope). The list is a checkpoint's, or experiments.search_rope's.

    >>> geometry = RopeGeometry(head_dim=4, base=16.0, trained_length=8)  # channels turn by 1 and 1/4 rad per token
    >>> LongRopeScaling(long_factor=[1.0, 2.5]).inv_freq(geometry, 2.0).double().round(decimals=3).tolist()
    [1.0, 0.1]
    """

    long_factor: Sequence[float | int | str] | None = None  # lambda of each of d/2 channels; None is ntk's s^(2i/(d-2))

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.long_factor
        if given is None:
            return
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise BadInput(f"rope_strategy.long_factor must be null or a list of numbers, got {given}")
        if wrong := [one for one in given if isinstance(one, str | bool) or not 0 < one < math.inf]:
            raise BadInput(f"rope_strategy.long_factor must hold numbers above 0, got {wrong[0]}")
        object.__setattr__(self, "long_factor", tuple(map(float, given)))  # YAML's list has no hash

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """In rad per token, float32. BadInput for a list of another number of channels, at every s."""
        if self.long_factor is None:
            return super().inv_freq(geometry, factor)
        channels, given = geometry.head_dim // 2, len(self.long_factor)
        if given != channels:
            raise BadInput(f"rope_strategy.long_factor must have {channels} numbers for this model, got {given}")
        trained = baseline_inv_freq(geometry)
        return trained if factor == 1 else (trained.double() / torch.tensor(self.long_factor).double()).float()

    def scale(self, geometry: RopeGeometry, factor: float) -> float:
        """Its own temperature needs the trained length, which `attention_scale` is not told."""
        own = self.temperature is None and factor != 1
        return log_n_temperature(geometry, factor) if own else super().scale(geometry, factor)
