"""Policy: which bits, groups and coordinates keys and values are quantised with, and the bytes that this comes to."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from math import lcm

from intpv.bounds import check_list, check_whole, shown
from intpv.errors import BadInput
from intpv.kv_quant import basis
from intpv.kv_quant.calibrated import DYNAMIC
from intpv.kv_quant.calibrated import check as check_calibrated
from intpv.kv_quant.packed import check_decode
from intpv.kv_quant.side import Side, Zone
from intpv.layout import Layout, Span

log = logging.getLogger(__name__)


@cache
def _say_once(what: str) -> None:
    log.warning("%s: the rest stays in full precision", what)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Keys and values each have their own; the ends of the prefix stay in full precision.

    The first tokens are attention sinks: they carry much of the mass, and an error there is an error in every answer.
    The tail may be 0 because the question never enters the prefix.
    """

    bits: int  # 2, 4, 8, or 16 for full precision; of keys, and of values unless value_bits is given
    value_bits: int | None = None
    key_granularity: str = "channel"  # tensor | channel | token | temporal
    value_granularity: str = "token"
    key_group: int | None  # members that share a scale: tokens, channels, or frames if temporal; null is all there are
    value_group: int | None
    key_clip: float | int = 1.0  # share of a group's range that its grid keeps at least; searched for below 1
    value_clip: float | int = 1.0
    key_hadamard: bool = False  # quantised in a basis in which every channel is a mean of all
    value_hadamard: bool = False
    pre_rope: bool = False  # keys are quantised as they were before rotation
    sinks: int = 4  # tokens in full precision at the start; where groups are temporal, up to the end of a frame
    tail: int = 0  # tokens in full precision at the end; where groups are temporal, from the start of a frame
    skip_layers: Sequence[int] = ()  # layers in full precision, counted from 0
    calibration: str | None = DYNAMIC  # ranges: dynamic (the prefix' own), embedded (the mini model's), or a file
    range_multiplier: float | int = 1.0  # of calibrated ranges
    decode: str = "auto"  # how the packed prefix is attended to: auto | eager | compiled | triton

    def __post_init__(self):
        for name in ("sinks", "tail"):
            check_whole(f"kv_quant.{name}", getattr(self, name), 0)
        check_list("kv_quant.skip_layers", self.skip_layers, 0)
        object.__setattr__(self, "skip_layers", tuple(sorted({*self.skip_layers})))  # a list cannot be hashed
        check_decode(self.decode)
        check_calibrated(self.calibration, self.range_multiplier, (self.keys, self.values))  # sides check themselves

    @property
    def keys(self) -> Side:
        return Side(name="key", bits=self.bits, pre_rope=self.pre_rope, **self._fields_of("key"))

    @property
    def values(self) -> Side:
        bits = self.bits if self.value_bits is None else self.value_bits
        return Side(name="value", bits=bits, **self._fields_of("value"))

    @property
    def label(self) -> str:
        """int2, or K4V2 where keys and values differ."""
        keys, values = self.keys.bits, self.values.bits
        return f"int{keys}" if keys == values else f"K{keys}V{values}"

    def quantised_layers(self, layers: int) -> int:
        """How many of a decoder's. BadInput where `skip_layers` names one that it has not, or all."""
        if strange := [layer for layer in self.skip_layers if layer >= layers]:
            raise BadInput(f"kv_quant.skip_layers must be of the model's layers 0 to {layers - 1}, got {strange[0]}")
        if len(self.skip_layers) == layers:
            raise BadInput(f"kv_quant.skip_layers names all {layers} layers: {self.label} would quantise none")
        quantised = layers - len(self.skip_layers)
        if quantised < layers / 2:
            _say_once(f"{self.label} quantises only {quantised} of {layers} layers (kv_quant.skip_layers)")
        return quantised

    @property
    def groups_frames(self) -> bool:
        """Whether it needs whole frames."""
        return self.keys.groups_frames or self.values.groups_frames

    @property
    def step(self) -> int:
        """Tokens after which the groups of keys and of values end together. BadInput where a group is of all tokens, or
        of frames."""
        steps = [1]
        for side in (self.keys, self.values):
            if not side.is_quantised or self.calibration != DYNAMIC:  # calibrated ranges are there before any token
                continue
            group = None if side.groups_frames else side.grouping(Zone(0, 0)).cells(1).group
            if group is None:
                raise BadInput(
                    f"passes.pack=early packs whole groups of tokens, kv_quant.{side.name}_granularity="
                    f"{side.granularity} with {side.name}_group={shown(side.group)} makes one of "
                    f"{'frames' if side.groups_frames else 'all tokens'}; passes.pack=late"
                )
            steps.append(group)
        return lcm(*steps)

    def zone(self, layout: Layout) -> Zone:
        """What is quantised of a prefix. BadInput where temporal groups do not fit its frames."""
        if self.groups_frames:
            return Zone.of_frames(layout, self.sinks, self.tail)
        return Zone.of_tokens(layout.length, self.sinks, self.tail)

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
        """Bytes of a packed prefix, to the byte; `element_size` is that of the model's dtype, for the exempt tokens.

        `layout` (of `length` tokens) is needed only where groups are temporal: it says where the frames are;
        and for keys before RoPE where frames are grids, whose positions have three axes. `devices` are those that
        quantised layers lie on: each has a table of angles; `evicted`: each layer has its own tokens, and so its own
        positions.
        """
        quantised = self.quantised_layers(layers)
        layout = layout or Layout((Span(length),))
        zone = self.zone(layout)
        exact = 2 * kv_heads * head_dim * element_size  # bytes of a token in full precision
        sides = sum(side.nbytes(zone, kv_heads, head_dim, element_size) for side in (self.keys, self.values))
        angles = 0
        if self.keys.is_pre_rope:
            axes = basis.axes_of(layout)
            angles = basis.nbytes(zone.tokens, head_dim, axes, devices, quantised if evicted else None)
        exempt = quantised * (length - zone.tokens) + (layers - quantised) * length
        return exempt * exact + quantised * sides + angles

    def _fields_of(self, side: str) -> dict:
        return {
            field.name.removeprefix(f"{side}_"): getattr(self, field.name)
            for field in fields(self)
            if field.name.startswith(f"{side}_") and field.name != "value_bits"
        }
