"""What becomes of a video's prefix after prefill: kept as it is (`none`) or packed into few bits by a policy."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.basis import PreRope, axes_of
from intpv.kv_quant.growing import Growing
from intpv.kv_quant.origin import Origin
from intpv.kv_quant.packed import Layers, PackedLayer, PackedPrefix, Run, check_decode
from intpv.kv_quant.policy import Policy
from intpv.kv_quant.ranges import BySide, Ranges
from intpv.kv_quant.side import Zone
from intpv.kv_quant.static_grid import Drift
from intpv.kv_quant.stored import Codes, Dense
from intpv.layout import Layout

log = logging.getLogger(__name__)


@dataclass
class Packing:
    """A prefix that comes layer by layer, each stored at once: of a quantised one no view is held."""

    length: int  # S, tokens
    # a layer's number, keys (after rotation) and values, and which of the prefix' tokens they are, where not all
    store: Callable[[int, Tensor, Tensor, Tensor | None], PackedLayer]
    quantised: int = 0  # tokens that become codes, counted in each layer and in keys and values apart
    drift: Callable[[list[PackedLayer]], Drift | None] = lambda _: None
    layers: list[PackedLayer] = field(default_factory=list)
    elements: int = 0  # of all layers that were added
    dtype: torch.dtype | None = None

    def add(
        self,
        keys: Float[Tensor, "H_kv S d"],
        values: Float[Tensor, "H_kv S d"],
        tokens: Int[Tensor, " S"] | None = None,
    ) -> None:
        """The next layer; `tokens` where it has been left these alone, by which angles are its own. BadInput as
        `KVQuant.pack` says."""
        if keys.shape[1] != self.length:
            raise ValueError(f"the layout must have as many tokens as the cache, {keys.shape[1]}, got {self.length}")
        self.elements, self.dtype = self.elements + 2 * keys.numel(), keys.dtype
        self.layers.append(self.store(len(self.layers), keys, values, tokens))

    def finish(self, layers: list[PackedLayer], elements: int, dtype: torch.dtype) -> PackedPrefix:
        """Of layers that were stored elsewhere."""
        self.layers, self.elements, self.dtype = layers, elements, dtype
        return self.done()

    def done(self) -> PackedPrefix:
        """Of all layers that were added."""
        assert self.dtype is not None  # there is no decoder without layers
        return PackedPrefix(
            layers=self.layers,
            length=self.length,
            quantised=self.quantised * self.elements // (2 * self.length * len(self.layers)),
            elements=self.elements,
            dtype=self.dtype,
            drift=self.drift(self.layers),
        )

    def of(self, layers: Layers) -> PackedPrefix:
        """Of layers that are all there."""
        for keys, values in layers:
            self.add(keys, values)
        return self.done()


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
        return self.packing(layout, angles, len(layers), origin).of(layers)

    def packing(
        self,
        layout: Layout,
        angles: Float[Tensor, "S half"] | None,
        layers: int,
        origin: Callable[[], Origin] | None = None,
    ) -> Packing:
        """See `KVQuant.packing`."""
        return Packing(layout.length, lambda _, k, v, tokens: PackedLayer((Run(Dense(k), Dense(v)),), self.decode))

    step = 1  # token, as `Policy.step`
    skip_layers = ()  # there is nothing to leave out

    def growing(
        self,
        layout: Layout,
        angles: Float[Tensor, "S half"] | None,
        layers: int,
        origin: Callable[[], Origin] | None = None,
    ) -> Growing:
        """See `KVQuant.growing`."""
        whole, length = self.packing(layout, angles, layers, origin), layout.length
        return Growing(length, Zone(length, length), 1, _nothing, whole.finish, self.decode)

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
        evicted: bool = False,
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
        return self.packing(layout, angles, len(layers), origin).of(layers)

    def packing(
        self,
        layout: Layout,
        angles: Float[Tensor, "S half"] | None,
        layers: int,
        origin: Callable[[], Origin] | None = None,
    ) -> Packing:
        """`pack` for a prefix whose `layers` come one after the other, to the same bits.

        Where layers are left tokens of their own, `layout` is as long as what each is left, `angles` are of all.
        """
        zone, quantised_sides = self.zone(layout), self.keys.is_quantised + self.values.is_quantised
        quantised_layers = self.quantised_layers(layers)
        turned: dict[torch.device, PreRope | None] = {}  # one for all layers of a device
        origin = origin and cache(origin)

        def store(index: int, keys: Tensor, values: Tensor, tokens: Tensor | None) -> PackedLayer:
            if index == 0:
                for side in (self.keys, self.values):
                    side.check(keys.shape[2])
                self._check_share(zone.tokens, layout.length)
            if index in self.skip_layers:
                return PackedLayer((_exempt(keys, values),), self.decode)
            _check_finite(index, keys, values)
            if keys.device not in turned:
                turned[keys.device] = self._pre_rope(zone, keys, angles, layout, tokens is None)
            pre_rope = turned[keys.device]
            if pre_rope is not None and tokens is not None:
                pre_rope = pre_rope.at(tokens[zone.start : zone.stop])
            grid = self._ranges.grids(self, layers, keys, origin)[index]
            return self._pack_layer(keys, values, zone, pre_rope, grid)

        codes = quantised_layers * quantised_sides * zone.tokens
        return Packing(layout.length, store, codes, lambda packed: self._ranges.drift(self, packed))

    def growing(
        self,
        layout: Layout,
        angles: Float[Tensor, "S half"] | None,
        layers: int,
        origin: Callable[[], Origin] | None = None,
    ) -> Growing:
        """As `packing`, for layers that come a pass after the other. BadInput as `step` says, too."""
        zone, turned = self.zone(layout), dict[torch.device, PreRope | None]()
        self._check_share(zone.tokens, layout.length)
        origin, zone_angles = origin and cache(origin), None if angles is None else angles[zone.start : zone.stop]

        def code(index: int, keys: Tensor, values: Tensor, first: int) -> Run:
            if index == first == 0:
                for side in (self.keys, self.values):
                    side.check(keys.shape[2])
            if index in self.skip_layers:
                return _exempt(keys, values)
            _check_finite(index, keys, values)
            if keys.device not in turned:
                turned[keys.device] = self._pre_rope(Zone(0, zone.tokens), keys, zone_angles, layout, alike=False)
            table, here = turned[keys.device], Zone(0, keys.shape[1])
            own = table and table.at(torch.arange(first, first + keys.shape[1]))
            grid = self._ranges.grids(self, layers, keys, origin)[index]
            stored = self.keys.store(keys, here, own, grid.get("key"))
            if isinstance(stored, Codes) and table is not None:  # handed out by the one table of all tokens
                stored = replace(stored, bases=(table, *stored.bases[1:]))
            return Run(stored, self.values.store(values, here, None, grid.get("value")))

        finish = self.packing(layout, angles, layers, origin).finish
        return Growing(layout.length, zone, self.step, code, finish, self.decode)

    def _pack_layer(
        self,
        keys: Float[Tensor, "H_kv S d"],
        values: Float[Tensor, "H_kv S d"],
        zone: Zone,
        pre_rope: PreRope | None,
        grid: BySide,
    ) -> PackedLayer:
        stored = self.keys.store(keys, zone, pre_rope, grid.get("key"))
        runs = (
            _exempt(keys[:, : zone.start], values[:, : zone.start]),
            Run(stored, self.values.store(values, zone, None, grid.get("value"))),
            _exempt(keys[:, zone.stop :], values[:, zone.stop :]),
        )
        return PackedLayer(tuple(run for run in runs if run.length), self.decode)

    def _pre_rope(self, zone: Zone, keys: Tensor, angles: Tensor | None, layout: Layout, alike: bool) -> PreRope | None:
        """Of the zone, which all layers have `alike`, or of all tokens of the prefix."""
        if not self.keys.is_pre_rope:
            return None
        rows = keys.shape[1] if alike or angles is None else len(angles)
        expected = rows, keys.shape[2] // 2
        if angles is None or tuple(angles.shape) != expected:
            given = "none: layers differ, or pair channels in another way" if angles is None else tuple(angles.shape)
            raise BadInput(
                f"kv_quant.pre_rope needs one rotation of whole keys, angles (S, d/2) = {expected}, got {given}"
            )
        return PreRope.of(angles[zone.start : zone.stop] if alike else angles, keys.device, axes_of(layout))

    def _check_share(self, quantised: int, length: int) -> None:
        share = f"{quantised} of {length} prefix tokens (kv_quant.sinks={self.sinks}, kv_quant.tail={self.tail})"
        if quantised == 0:
            raise BadInput(f"{self.label} would quantise {share}")
        if quantised < length / 2:
            log.warning("%s quantises only %s: the rest stays in full precision", self.label, share)


def _nothing(*_: object) -> Run:
    raise ValueError("nothing is quantised")


def _exempt(keys: Tensor, values: Tensor) -> Run:
    return Run(Dense(keys.clone()), Dense(values.clone()))  # a slice would keep the whole dense cache alive


def _check_finite(index: int, keys: Tensor, values: Tensor) -> None:
    for name, x in (("keys", keys), ("values", values)):
        extremes = torch.stack(x.aminmax())  # NaN if any number is
        if not extremes.isfinite().all():
            wrong = extremes[~extremes.isfinite()][0].item()
            raise BadInput(f"{name} must be finite to be quantised, got {wrong} in layer {index}")
