"""Visual-only scaling: frames advance by 1/s a token, text by 1 as in training (visual window, arXiv 2409.20018)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from intpv.layout import Layout
from intpv.rope_strategy.strategy import RopeStrategy, counts


@dataclass(frozen=True, kw_only=True)
class VisualOnlyScaling(RopeStrategy):
    """Only the video outgrows its window, so only the video is squeezed: the question stays where training had it.

    The paper names the visual window and scales frequencies for it; smaller steps for visual tokens are also in
    arXiv 2412.09616, which trains for them. The table inv_freq is unchanged.

    >>> from intpv.layout import Span
    >>> layout = Layout((Span(2), Span(4, time=0.0), Span(2)))  # text, a frame, text
    >>> VisualOnlyScaling().positions(layout, 2.0).tolist()
    [[0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0]]
    """

    def positions(self, layout: Layout, factor: float) -> Float[Tensor, "A {layout.length}"]:
        """The (A, S) positions: text tokens before + visual positions before / s, on the axes that are scaled.

        A token is followed at its own step, 1 after text and 1/s after a frame, so no position depends on what
        comes next. Counted instead of summed up: no rounding error grows along the sequence.
        """
        text, visual = counts(layout)
        if len(visual) == 1:
            return (text + visual.double() / factor).float()
        steps = [factor if scaled else 1.0 for scaled in self.scales(layout.growing_axes)]
        return (text + visual / torch.tensor(steps, dtype=torch.float64)[:, None]).float()
