"""Side: how the keys, or the values, of the quantised zone are stored, and in how many bytes."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.kv_quant.granularity import Granularity, PerChannel, PerTensor, PerToken
from intpv.kv_quant.hadamard import Hadamard, matrix
from intpv.kv_quant.packing import codes_per_byte
from intpv.kv_quant.pre_rope import PreRope
from intpv.kv_quant.static import StaticGrid
from intpv.kv_quant.stored import Codes, Dense
from intpv.kv_quant.temporal import Temporal
from intpv.kv_quant.zone import Zone

FULL = 16  # bits that stand for full precision, whatever the model's dtype
GRANULARITIES = {"tensor": PerTensor, "channel": PerChannel, "token": PerToken, "temporal": Temporal}
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
        if not (isinstance(self.clip, float | int) and 0 < self.clip <= 1):
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
    def is_turned(self) -> bool:
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
        self, x: Float[Tensor, "H_kv S d"], zone: Zone, turned: PreRope | None, grid: StaticGrid | None = None
    ) -> Dense | Codes:
        """The zone of one layer; `turned` is its un-rotation, one table for all layers, `grid` a calibrated one."""
        x = x[:, zone.start : zone.stop]
        if not self.is_quantised:
            return Dense(x.clone())  # a slice would keep the whole dense cache alive
        bases = (*[turned] * self.pre_rope, *[Hadamard()] * self.hadamard)
        if grid is not None:
            return Codes.on(grid, x, self.bits, self.grouping(zone), bases)
        return Codes.of(x, self.bits, self.grouping(zone), bases, float(self.clip))

    def nbytes(self, zone: Zone, kv_heads: int, head_dim: int, element_size: int) -> int:
        """Bytes of the zone in one layer."""
        elements = kv_heads * zone.tokens * head_dim
        if not self.is_quantised:
            return elements * element_size
        return elements * self.bits // 8 + METADATA_BYTES * self.grouping(zone).count(kv_heads, zone.tokens, head_dim)
