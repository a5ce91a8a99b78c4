"""What becomes of a video's prefix after prefill: kept as it is (`none`) or packed into few bits by a policy."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.packed import Layers, PackedLayer, PackedPrefix, check_decode
from intpv.kv_quant.policy import Policy
from intpv.kv_quant.pre_rope import PreRope, axes_of
from intpv.kv_quant.ranges import BySide, Ranges
from intpv.kv_quant.runs import Run
from intpv.kv_quant.stored import Dense
from intpv.kv_quant.zone import Zone
from intpv.layout import Layout

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NoQuant:
    """Keep the prefix in full precision: the tensors themselves, nothing copied."""

    decode: str = "auto"  # auto | eager | compiled | triton

    def __post_init__(self):
        check_decode(self.decode)

    def pack(
        self,
        layers: Layers,
        layout: Layout,
        angles: Float[Tensor, "S half"] | None,
        origin: Callable[[], Origin] | None = None,
    ) -> PackedPrefix:
        """See `KVQuant.pack`."""
        _check_length(layers, layout)
        return PackedPrefix.of(layers, [PackedLayer((Run(Dense(k), Dense(v)),), self.decode) for k, v in layers])

    def closed_form_bytes(
        self,
        *,
        layers: int,
        kv_heads: int,
        head_dim: int,
        length: int,
        element_size: int,
        layout: Layout | None = None,
        devices: int = 1,
    ) -> int:
        """2 * L * H_kv * S * d elements."""
        return 2 * layers * kv_heads * length * head_dim * element_size


@dataclass(frozen=True, kw_only=True)
class KVQuant(Policy):
    """Quantise by a policy, once: with the scales and zeros of the prefix itself, or with calibrated ones."""

    _ranges: Ranges = field(default_factory=Ranges, init=False, repr=False, compare=False)

    def pack(
        self,
        layers: Layers,
        layout: Layout,
        angles: Float[Tensor, "S half"] | None,
        origin: Callable[[], Origin] | None = None,
    ) -> PackedPrefix:
        """Full-precision keys (after rotation) and values of every layer -> packed prefix that holds no view into them.

        `angles` is the prefix' rotation in rad, positions x inv_freq; it is read only if keys are quantised before it.
        `origin` is asked for only if ranges are calibrated: it takes a hash of the model's weights.
        Raises BadInput where the shapes do not fit, where a number is not finite and where nothing would be quantised.
        """
        _check_length(layers, layout)
        length, head_dim = layers[0][0].shape[1:]
        for side in (self.keys, self.values):
            side.check(head_dim)
        zone, quantised_sides = self.zone(layout), self.keys.is_quantised + self.values.is_quantised
        self._check_share(zone.tokens, length)
        _check_finite(layers)
        turned = self._turned(zone, layers[0][0], angles, layout)
        grids = self._ranges.grids(self, layers, origin)
        there = {keys.device: turned and turned.to(keys.device) for keys, _ in layers}  # one for all layers of a device
        packed = [
            self._pack_layer(keys, values, zone, there[keys.device], grid)
            for (keys, values), grid in zip(layers, grids, strict=True)
        ]
        quantised = quantised_sides * zone.tokens * layers[0][0][:, 0].numel() * len(layers)
        return PackedPrefix.of(layers, packed, quantised, self._ranges.drift(self, packed))

    def _pack_layer(
        self,
        keys: Float[Tensor, "H_kv S d"],
        values: Float[Tensor, "H_kv S d"],
        zone: Zone,
        turned: PreRope | None,
        grid: BySide,
    ) -> PackedLayer:
        stored = self.keys.store(keys, zone, turned, grid.get("key"))
        runs = (
            _exempt(keys[:, : zone.start], values[:, : zone.start]),
            Run(stored, self.values.store(values, zone, None, grid.get("value"))),
            _exempt(keys[:, zone.stop :], values[:, zone.stop :]),
        )
        return PackedLayer(tuple(run for run in runs if run.length), self.decode)

    def _turned(self, zone: Zone, keys: Tensor, angles: Tensor | None, layout: Layout) -> PreRope | None:
        if not self.keys.is_turned:
            return None
        expected = keys.shape[1], keys.shape[2] // 2
        if angles is None or tuple(angles.shape) != expected:
            given = None if angles is None else tuple(angles.shape)
            raise ValueError(f"kv_quant.pre_rope needs the angles (S, d/2) = {expected} of the keys, got {given}")
        return PreRope.of(angles[zone.start : zone.stop], keys.device, axes_of(layout))

    def _check_share(self, quantised: int, length: int) -> None:
        share = f"{quantised} of {length} prefix tokens (kv_quant.sinks={self.sinks}, kv_quant.tail={self.tail})"
        if quantised == 0:
            raise BadInput(f"{self.label} would quantise {share}")
        if quantised < length / 2:
            log.warning("%s quantises only %s: the rest stays in full precision", self.label, share)


def _exempt(keys: Tensor, values: Tensor) -> Run:
    return Run(Dense(keys.clone()), Dense(values.clone()))  # a slice would keep the whole dense cache alive


def _check_length(layers: Layers, layout: Layout) -> None:
    length = layers[0][0].shape[1]
    if layout.length != length:
        raise ValueError(f"the layout must have as many tokens as the cache, {length}, got {layout.length}")


def _check_finite(layers: Layers) -> None:
    for index, pair in enumerate(layers):
        for name, x in zip(("keys", "values"), pair, strict=True):
            extremes = torch.stack(x.aminmax())  # NaN if any number is
            if not extremes.isfinite().all():
                wrong = extremes[~extremes.isfinite()][0].item()
                raise BadInput(f"{name} must be finite to be quantised, got {wrong} in layer {index}")
