"""M-RoPE by axes: every axis has a factor of its own, and only time is stretched unless told otherwise (YaRN-V)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import AXES
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.ntk import NTKScaling


@dataclass(frozen=True, kw_only=True)
class MRopeAxesScaling(NTKScaling):
    """What VideoRoPE++ (Wiselnn570/VideoRoPE) calls YaRN-V: channels of time by b ((s L - 1) / (L - 1))^(d/(d-2)),
    those of height and width as trained. A model with one axis is scaled as time is. Axes not in `axes` never are.

    >>> geometry = RopeGeometry(4, 16.0, 9, axes=(1, 1, 0), axis_of=(1, 0), growing=AXES)  # the slow channel is of time
    >>> MRopeAxesScaling().table(geometry, 5.0).double().round(decimals=4).tolist()  # by (45 - 1) / (9 - 1) = 5.5
    [1.0, 0.0455]
    """

    temporal: float | int | str = "auto"  # s of the axis; auto is the context's
    height: float | int | str = 1.0
    width: float | int | str = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for axis in AXES:
            own = getattr(self, axis)
            if own != "auto" and (type(own) not in (int, float) or not 1 <= own < math.inf):
                raise BadInput(f"rope_strategy.{axis} must be at least 1 or auto, got {own}")
            object.__setattr__(self, axis, own if own == "auto" else float(own))  # YAML's 1 is an int

    def scaled_base(self, geometry: RopeGeometry, factor: float) -> float:
        """The base at s = `factor`. BadInput at a trained length of 1, in which there is no last position."""
        if geometry.trained_length < 2:
            raise BadInput(f"rope_strategy=mrope_axes needs a window of 2 positions, got {geometry.trained_length}")
        last = geometry.trained_length - 1
        return super().scaled_base(geometry, (factor * geometry.trained_length - 1) / last)

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """In rad per token, of time."""
        return super().inv_freq(geometry, self._own("temporal", factor))

    def table(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, " {geometry.head_dim//2}"]:
        """With M-RoPE every channel by the factor of its axis."""
        if not geometry.axis_of:
            return self.inv_freq(geometry, factor)
        scaled = zip(AXES, self.scales(geometry.growing), strict=True)
        factors = [self._own(axis, factor) if chosen else 1.0 for axis, chosen in scaled]
        tables = torch.stack([super(MRopeAxesScaling, self).inv_freq(geometry, own) for own in factors])
        return tables[list(geometry.axis_of), torch.arange(tables.shape[1])]

    def _own(self, axis: str, factor: float) -> float:
        own = getattr(self, axis)
        return factor if own == "auto" or factor == 1 else own
