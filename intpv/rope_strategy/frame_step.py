"""Frame step: a video's tokens advance by a fixed part of a position, and text goes on at the next whole one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.errors import BadInput
from intpv.layout import Layout
from intpv.rope_strategy.strategy import RopeStrategy, counts


@dataclass(frozen=True, kw_only=True)
class FrameStepScaling(RopeStrategy):
    """The small visual steps of V2PE (arXiv 2412.09616), which trains for them; here they are taken without. Where s is
    above 1 the step is `delta`, however long the video is: visual_only takes 1/s.

    As there, text stands on whole positions, and so does what follows it; frames stand by 1 - delta further from the
    text before them than there, for here a token is followed at its own step.

    >>> from intpv.layout import Span
    >>> layout = Layout((Span(2), Span(5, time=0.0), Span(2)))  # text, a frame, text
    >>> FrameStepScaling(delta=0.25).positions(layout, 2.0).tolist()
    [[0.0, 1.0, 2.0, 2.25, 2.5, 2.75, 3.0, 4.0, 5.0]]
    """

    delta: float | int = 0.25  # positions that a token of a frame advances by; above 0, at most 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.delta) not in (int, float) or not 0 < self.delta <= 1:
            raise BadInput(f"rope_strategy.delta must be above 0 and at most 1, got {self.delta}")
        object.__setattr__(self, "delta", float(self.delta))  # YAML's 1 is an int

    def positions(self, layout: Layout, factor: float) -> Float[Tensor, "A {layout.length}"]:
        """The (A, S) positions: text before + visual before * delta on the axes that are scaled, rounded up at text."""
        if factor == 1:
            return super().positions(layout, factor)
        text, visual = counts(layout)
        chosen = self.scales(layout.growing_axes) if len(visual) > 1 else (True,)
        steps = torch.tensor([self.delta if scaled else 1.0 for scaled in chosen], dtype=torch.float64)
        taken, start, rest = visual * steps[:, None], 0, torch.zeros(len(steps), 1).double()
        for span in layout.spans:
            stop = start + span.length
            if span.length and not span.is_frame:
                stands = taken[:, start, None] + rest
                rest = rest + (stands - 1e-9).ceil() - stands  # 100 * 0.07 is a little more than 7
            taken[:, start:stop] += rest
            start = stop
        return (text + taken).float()
