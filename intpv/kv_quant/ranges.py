"""Ranges: calibrated ones in use; their grids are made once per origin and place, a large drift is warned of once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.kv_quant.calibrated import DYNAMIC, grids
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.packed import PackedLayer
from intpv.kv_quant.policy import Policy
from intpv.kv_quant.static_grid import Drift, StaticGrid
from intpv.kv_quant.stored import Codes

log = logging.getLogger(__name__)

BySide = dict[str, StaticGrid]  # of one layer


@dataclass(frozen=True)
class Ranges:
    """What one policy remembers from prefix to prefix."""

    made: dict[tuple[Origin | None, torch.device], list[BySide]] = field(default_factory=dict)
    large: list[Drift] = field(default_factory=list)  # those that were warned of: one, or none

    def grids(
        self, policy: Policy, layers: int, keys: Float[Tensor, "H_kv S d"], origin: Callable[[], Origin] | None
    ) -> list[BySide]:
        """Of all layers where `keys` are; nothing where ranges are dynamic. BadInput where they are of another kind of
        prefix."""
        if policy.calibration == DYNAMIC:
            return [{}] * layers
        made_by = origin and origin()
        if (place := (made_by, keys.device)) not in self.made:
            shape, sides = (layers, keys.shape[0], keys.shape[2]), (policy.keys, policy.values)
            assert policy.calibration is not None  # the policy refuses it
            self.made[place] = grids(policy.calibration, policy.range_multiplier, sides, shape, made_by, keys.device)
        return self.made[place]

    def drift(self, policy: Policy, packed: list[PackedLayer]) -> Drift | None:
        """Logged for every prefix, as a warning the first time that it is large. None where ranges are dynamic."""
        sides = [side for layer in packed for run in layer.runs for side in (run.keys, run.values)]
        drifts = [side.drift for side in sides if isinstance(side, Codes) and side.drift]
        if not drifts:
            return None
        drift = Drift.over(drifts)
        warns = drift.is_large and not self.large
        log.log(logging.WARNING if warns else logging.INFO, "kv_quant.calibration=%s: %s", policy.calibration, drift)
        if warns:
            self.large.append(drift)
        return drift
