"""Side: how the keys, or the values, of the quantised zone are stored, and in how many bytes."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.basis import Hadamard, PreRope, matrix
from intpv.kv_quant.granularity import Granularity, PerChannel, PerTensor, PerToken, Temporal
from intpv.kv_quant.quantiser import codes_per_byte
from intpv.kv_quant.static_grid import StaticGrid
from intpv.kv_quant.stored import Basis, Codes, Dense
from intpv.layout import Layout

# Zone: the tokens of a prefix that are quantised; what lies before and after them stays in full precision.


@dataclass(frozen=True)
class Zone:
    """Tokens start ... stop - 1, and how many of them make a frame where groups are made of frames."""

    start: int
    stop: int
    frame: int = 1  # P, tokens

    @property
    def tokens(self) -> int:
        return self.stop - self.start

    @classmethod
    def of_tokens(cls, length: int, sinks: int, tail: int) -> "Zone":
        """All but `sinks` tokens at the start and `tail` at the end; empty where those are all there is."""
        start = min(sinks, length)
        return cls(start, max(start, length - tail))

    @classmethod
    def of_frames(cls, layout: Layout, sinks: int, tail: int) -> "Zone":
        """The whole frames between `sinks` and `tail`: text, and a frame that either cuts into, is left out.

        Raises BadInput where there are no frames, text stands between them, or they differ in length.
        """
        kinds = [span.is_frame for span in layout.spans]
        if True not in kinds:
            raise BadInput(f"temporal groups need frames, got a prefix of {layout.length} tokens of text")
        first, last = kinds.index(True), len(kinds) - kinds[::-1].index(True)
        lengths = [span.length for span in layout.spans[first:last] if span.is_frame]
        if len(set(lengths)) > 1:
            raise BadInput(
                f"temporal groups need frames of one length, got one of {min(lengths)} and one of {max(lengths)} tokens"
            )
        if len(lengths) != last - first:
            between = sum(span.length for span in layout.spans[first:last] if not span.is_frame)
            raise BadInput(
                f"temporal groups need frames side by side, got {between} tokens of text between {len(lengths)} frames"
            )
        per_frame = lengths[0]
        begin = sum(span.length for span in layout.spans[:first])
        cut_off = -(-max(0, sinks - begin) // per_frame)  # frames that the sinks reach into
        kept = max(0, min(layout.length - tail - begin, len(lengths) * per_frame)) // per_frame
        start = begin + min(cut_off, len(lengths)) * per_frame
        return cls(start, max(start, begin + kept * per_frame), per_frame)


FULL = 16  # bits that stand for full precision, whatever the model's dtype
GRANULARITIES: dict[str, type[Granularity]] = {
    "tensor": PerTensor,
    "channel": PerChannel,
    "token": PerToken,
    "temporal": Temporal,
}
METADATA_BYTES = 4  # a float16 scale and a float16 zero


@dataclass(frozen=True, kw_only=True)
class Side:
    """The fields of `KVQuant` that concern `name`, key or value; checked here because both sides have them."""

    name: str
    bits: int
    granularity: str
    group: int | None
    clip: float | int
    hadamard: bool
    pre_rope: bool = False

    def __post_init__(self):
        if type(self.bits) is not int or self.bits not in (2, 4, 8, FULL):
            field = "bits" if self.name == "key" else "value_bits"
            raise BadInput(f"kv_quant.{field} must be 2, 4, 8 or {FULL}, got {self.bits}")
        if self.granularity not in (*GRANULARITIES,):
            known = ", ".join(GRANULARITIES)
            raise BadInput(f"kv_quant.{self.name}_granularity must be one of {known}, got {self.granularity}")
        if not (type(self.clip) in (float, int) and 0 < self.clip <= 1):
            raise BadInput(f"kv_quant.{self.name}_clip must be over 0 and at most 1, got {self.clip}")
        if self.group is not None and not (type(self.group) is int and self.group >= 1):
            raise BadInput(f"kv_quant.{self.name}_group must be a whole number of at least 1 or null, got {self.group}")
        for field, flag in ((f"{self.name}_hadamard", self.hadamard), ("pre_rope", self.pre_rope)):
            if type(flag) is not bool:
                raise BadInput(f"kv_quant.{field} must be true or false, got {flag}")

    @property
    def is_quantised(self) -> bool:
        return self.bits < FULL

    @property
    def is_pre_rope(self) -> bool:
        return self.is_quantised and self.pre_rope

    @property
    def groups_frames(self) -> bool:
        return self.is_quantised and GRANULARITIES[self.granularity].groups_frames

    def grouping(self, zone: Zone) -> Granularity:
        return GRANULARITIES[self.granularity](self.group, zone.frame)

    def check(self, head_dim: int) -> None:
        """BadInput where the head dim does not go with the fields."""
        if self.is_quantised:
            codes_per_byte(self.bits, head_dim)
            self.grouping(Zone(0, 0)).check(self.name, head_dim)
        if self.is_quantised and self.hadamard:
            matrix(head_dim)

    def store(
        self, x: Float[Tensor, "H_kv S d"], zone: Zone, pre_rope: PreRope | None, grid: StaticGrid | None = None
    ) -> Dense | Codes:
        """The zone of one layer; `pre_rope` undoes RoPE, one table for all layers, `grid` is a calibrated one."""
        x = x[:, zone.start : zone.stop]
        if not self.is_quantised:
            return Dense(x.clone())  # a slice would keep the whole dense cache alive
        bases: tuple[Basis, ...] = (Hadamard(),) if self.hadamard else ()
        if self.pre_rope:
            assert pre_rope is not None  # made for every side that is before RoPE
            bases = (pre_rope, *bases)
        if grid is not None:
            return Codes.on(grid, x, self.bits, self.grouping(zone), bases)
        return Codes.of(x, self.bits, self.grouping(zone), bases, float(self.clip))

    def nbytes(self, zone: Zone, kv_heads: int, head_dim: int, element_size: int) -> int:
        """Bytes of the zone in one layer."""
        elements = kv_heads * zone.tokens * head_dim
        if not self.is_quantised:
            return elements * element_size
        return elements * self.bits // 8 + METADATA_BYTES * self.grouping(zone).count(kv_heads, zone.tokens, head_dim)
