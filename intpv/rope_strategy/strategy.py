"""RopeStrategy: the factor s, and the angle of every token; a strategy overrides the one thing that it changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import AXES, Layout
from intpv.rope_strategy.counts import counts
from intpv.rope_strategy.geometry import RopeGeometry, baseline_inv_freq

WINDOWS = ("visual", "llm")


@dataclass(frozen=True, kw_only=True)
class RopeStrategy:
    """What is common to all: `resolve` fixes s once per context, `angles` is the one table everything else reads.

    Two laws hold for every strategy. At s = 1 it is the baseline bit for bit. And at a given s the prefix never
    depends on the question: `positions(layout.ask(n), s)` begins with `positions(layout, s)`, so a question can be
    asked of a prefix that was prefilled before the question was known.
    """

    # wider types than the values allowed: what a user mistypes must reach BadInput, under the type checker as well
    factor: float | int | str = "auto"  # s, a number >= 1, or auto
    window: str = "visual"  # what auto divides by: visual tokens seen in training, or llm: the LLM's context window
    reserve_text: int = 32  # tokens kept for question and answer when window is llm: watch precedes the questions
    # of M-RoPE, which to scale: temporal, height, width; auto is those that more frames make longer. Scaling one that
    # stays inside its trained range would only blur it. With one axis there is nothing to choose
    axes: str | Sequence[str] = "auto"

    def __post_init__(self) -> None:
        if isinstance(self.factor, int):  # YAML's 4 is an int
            object.__setattr__(self, "factor", float(self.factor))
        is_number = isinstance(self.factor, float) and math.isfinite(self.factor)
        if self.factor != "auto" and not (is_number and self.factor >= 1):
            raise BadInput(f"rope_strategy.factor must be at least 1 or auto, got {self.factor}")
        if self.window not in WINDOWS:
            raise BadInput(f"rope_strategy.window must be one of {', '.join(WINDOWS)}, got {self.window}")
        named = (self.axes,) if isinstance(self.axes, str) else tuple(self.axes)
        if self.axes != "auto" and (not named or set(named) - set(AXES)):
            raise BadInput(f"rope_strategy.axes must be auto or some of {', '.join(AXES)}, got {self.axes}")
        object.__setattr__(self, "axes", self.axes if self.axes == "auto" else named)  # YAML's list has no hash
        if self.reserve_text < 0:
            raise BadInput(f"rope_strategy.reserve_text must be at least 0 tokens, got {self.reserve_text}")

    def resolve(self, layout: Layout, trained_visual_length: int, window_length: int) -> float:
        """The factor s of a context: as given, or how many times the tokens overfill the window; never below 1.

        Window visual: V / trained_visual_length = F*P / (N*P) = m, exactly 1 at F = N.
        Window llm: (prefix length + reserve_text) / window_length. A question in the layout is not counted.
        All lengths in tokens; BadInput if the window that is needed is empty.
        """
        if self.factor != "auto":
            return self.factor
        prefix_length = layout.length if layout.question_start is None else layout.question_start
        needed = layout.visual_length if self.window == "visual" else prefix_length + self.reserve_text
        return max(1.0, needed / self.trained_length(trained_visual_length, window_length))

    def trained_length(self, trained_visual_length: int, window_length: int) -> int:
        """The window that auto divides by, in tokens; YaRN's ramp counts turns in the same one."""
        length = trained_visual_length if self.window == "visual" else window_length
        if length < 1:
            raise BadInput(f"rope_strategy.window={self.window} needs a window of at least 1 token, got {length}")
        return length

    def inv_freq(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, "{geometry.head_dim//2}"]:
        """The (d/2,) table in rad per token, float32; unscaled unless a strategy scales it."""
        return baseline_inv_freq(geometry)

    def attention_scale(self, factor: float) -> float:
        """What multiplies cos and sin (so attention logits by its square); un-rotating divides by that square."""
        return 1.0

    def scales(self, growing: Sequence[str]) -> tuple[bool, ...]:
        """Of each axis of M-RoPE, whether it is scaled."""
        chosen = growing if self.axes == "auto" else self.axes
        return tuple(axis in chosen for axis in AXES)

    def table(self, geometry: RopeGeometry, factor: float) -> Float[Tensor, "{geometry.head_dim//2}"]:
        """What turns: inv_freq, and with M-RoPE the table of training in the channels of axes that are not scaled."""
        scaled = self.inv_freq(geometry, factor)
        if not geometry.axis_of:
            return scaled
        chosen = torch.tensor(self.scales(geometry.growing))[list(geometry.axis_of)]
        return torch.where(chosen, scaled, baseline_inv_freq(geometry))

    def positions(self, layout: Layout, factor: float) -> Float[Tensor, "A {layout.length}"]:
        """The (A, S) positions of a prefix, or of a prefix and its question, in tokens; A = 3 axes with M-RoPE."""
        text, visual = counts(layout)
        return (text + visual).float()

    def angles(
        self, layout: Layout, geometry: RopeGeometry, factor: float
    ) -> Float[Tensor, "{layout.length} {geometry.head_dim//2}"]:
        """The (S, d/2) angles in rad: positions x table, for prefill, question, un-rotation and kernels alike."""
        positions, table = self.positions(layout, factor), self.table(geometry, factor)
        if len(positions) == 1:
            return positions[0, :, None] * table
        return positions[list(geometry.axis_of)].T * table
