"""Origin: what the keys and values of a prefix depend on beside the video; calibrated ranges hold for one origin."""

import logging
from dataclasses import dataclass

from intpv.errors import BadInput

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Of the prefix that is packed, or of those that were calibrated on."""

    model: str
    weights: str  # sha256 of decoder and encoder
    encoder: str
    rearranger: str
    frames: int  # F
    strategy: str  # an option of conf/rope_strategy
    rope_parameters: str  # JSON; all but what only chooses the factor
    factor: float  # s
    attention_scale: float  # what multiplied cos and sin, and so the keys
    budget: str = ""  # an option of conf/budget and its fields, where the LLM is given less than all tokens
    own_table: str = ""  # digest of the checkpoint's own table, where it is not the plain one: longrope has two

    @property
    def command(self) -> str:
        """What calibrates for this origin, up to overrides that it does not know of."""
        chosen = f"model={self.model} rope_strategy={self.strategy} frames={self.frames}"
        return f"python -m experiments.calibrate_kv {chosen} out=FILE"

    @property
    def rotation(self) -> tuple:
        """What rotated the keys; at factor 1 every strategy is the same."""
        scaled = (1.0,) if self.factor == 1 else (self.factor, self.strategy, self.rope_parameters)
        return (*scaled, self.own_table)

    def check(self, calibrated: "Origin", name: str, rotated: bool) -> None:
        """BadInput where ranges calibrated at another origin, of file `name`, say nothing of this one's prefixes.

        `rotated` keys are as RoPE left them: their ranges are of that rotation alone. Before rotation, and for values,
        another rotation reaches them only through the hidden states: that, like other frames, is a warning.
        """
        if self.weights != calibrated.weights:
            raise BadInput(
                f"{name} was calibrated on model {calibrated.model} (weights {calibrated.weights[:8]}), got "
                f"{self.model} (weights {self.weights[:8]}): `{self.command}` makes one of its own"
            )
        if rotated and self.rotation != calibrated.rotation:
            raise BadInput(
                f"{name} was calibrated with {_rotation(calibrated)}, got {_rotation(self)}: keys after RoPE "
                f"differ, use kv_quant.pre_rope=true or `{self.command}`"
            )
        differ = [
            f"{key} {getattr(calibrated, key)}, here {getattr(self, key)}"
            for key in ("frames", "rearranger", "strategy", "factor", "budget")
            if getattr(calibrated, key) != getattr(self, key)
        ]
        if differ:
            log.warning(
                "%s was calibrated with %s: see kv/clipped_fraction and kv/range_ratio", name, "; ".join(differ)
            )


def _rotation(origin: Origin) -> str:
    own = f", own table {origin.own_table[:8]}" if origin.own_table else ""
    return f"{origin.strategy} at factor {origin.factor:g} {origin.rope_parameters}{own}"
