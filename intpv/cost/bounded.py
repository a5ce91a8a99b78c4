"""Bounded cost: what a budget, eviction and passes leave of a long video's work and memory, in closed form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intpv.bounds import check_flag, check_whole
from intpv.cost import closed_form
from intpv.cost.shape import Shape
from intpv.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The settings of a run that bound it, under their names in conf/."""

    keep: float | int = 1  # budget.keep: share of the video's tokens that the LLM is given
    kv_tokens: int | None = None  # kv_evict.tokens: that each layer keeps; None is all
    early: bool = False  # kv_evict.early: after every pass of the prefill
    tower_frames: int | None = None  # passes.tower_frames; None is all
    prefill_tokens: int | None = None  # passes.prefill_tokens; None is all

    def __post_init__(self) -> None:
        if type(self.keep) not in (float, int) or not 0 < self.keep <= 1:
            raise BadInput(f"keep must be above 0 and at most 1, a share of the video's tokens, got {self.keep}")
        for name in ("kv_tokens", "tower_frames", "prefill_tokens"):
            check_whole(name, getattr(self, name), or_null=True)
        check_flag("early", self.early)
        if self.early and self.prefill_tokens is None:
            raise BadInput("early=true cuts after every pass of a prefill, got prefill_tokens=null")

    def row(self, shape: Shape, frames: int, options: Mapping[str, Any]) -> dict:
        """Bytes and FLOPs of so many frames; `options` are conf/kv_quant's, by their columns.

        tokens           that the LLM is given
        kept             of these, in each layer
        tower_bytes      activations of a pass of the tower at their peak
        prefill_flops    of all passes
        prefix_bytes     of keys and values in FP16 while the prefix is read: one layer's where that is done in one pass
        kv               of the packed prefix
        """
        groups, whole = shape.groups(frames), frames * shape.tokens_per_frame
        if self.tower_frames is not None and self.tower_frames % shape.group:
            raise BadInput(f"tower_frames must be a multiple of {shape.group}, a group, got {self.tower_frames}")
        tokens = max(1, round(self.keep * whole))
        kept = min(tokens, self.kv_tokens or tokens)
        sizes = {"layers": shape.layers, "kv_heads": shape.kv_heads, "head_dim": shape.head_dim}
        together = min(groups, (self.tower_frames or frames) // shape.group)
        return {
            "frames": frames,
            "tokens": tokens,
            "kept": kept,
            "tower_bytes": together * closed_form.tower_activation_bytes(shape),
            "prefill_flops": self.prefill_flops(shape, tokens),
            "prefix_bytes": self._prefix_bytes(shape, tokens),
            "kv": {
                name: one.closed_form_bytes(**sizes, length=kept, element_size=closed_form.FP16, evicted=kept < tokens)
                for name, one in options.items()
            },
        }

    def prefill_flops(self, shape: Shape, tokens: int, seen: int | None = None) -> int:
        """As closed_form.prefill_flops; where layers are cut early, a pass attends to what they hold. `seen`: pairs of
        query and key in a prefill at once, where a strategy hides some; None: all."""
        step, pairs = self.prefill_tokens or tokens, 0
        for start in range(0, tokens, step):
            new = min(step, tokens - start)
            held = min(start, self.kv_tokens or start) if self.early else start
            pairs += new * held + new * (new + 1) // 2
        attention = 4 * shape.layers * shape.heads * shape.head_dim * (pairs if seen is None else seen)
        blocks = 2 * tokens * closed_form.block_matrices(shape)
        return blocks + attention + 2 * shape.vocabulary * shape.hidden

    def _prefix_bytes(self, shape: Shape, tokens: int) -> int:
        if self.prefill_tokens is None:
            return closed_form.kv_bytes(shape, tokens, 16) // shape.layers
        held = tokens
        if self.early and self.kv_tokens is not None:
            held = min(tokens, self.kv_tokens + self.prefill_tokens)
        return closed_form.kv_bytes(shape, held, 16)
