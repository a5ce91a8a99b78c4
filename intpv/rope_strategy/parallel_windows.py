"""Parallel windows: interleaved windows of the trained length, each read alone, asked together (after 2212.06713)."""

import math
from dataclasses import dataclass

import torch

from intpv.bounds import check_flag
from intpv.layout import Layout
from intpv.rope_strategy.geometry import RopeGeometry
from intpv.rope_strategy.partition import Partition, windows
from intpv.rope_strategy.partitioned import PartitionedStrategy


@dataclass(frozen=True, kw_only=True)
class ParallelWindows(PartitionedStrategy):
    """Frame i is in window i mod W, W = s rounded up: where W divides the frames, each window is the whole video in as
    many frames as in training, as a strided group of the tower is. A frame sees the text before the video and its own
    window, at positions of training; text behind the video sees all windows. Text between frames goes with the one
    behind it.

    So no position outgrows what was trained (window=visual) and, `as_one`, no attention does: where every frame is
    shown W times in a row and the tower's groups are strided, the answers are those to each shown once, up to rounding.
    Windows of text that count for themselves are arXiv 2212.10947, those that count together for one 2212.06713; that
    windows are interleaved is ours. Frames of unlike lengths (budget=two_rate) may fall into step with the windows.

    >>> from intpv.layout import Span
    >>> layout = Layout((Span(1), *[Span(2, time=float(i)) for i in range(4)], Span(1)))  # text, four frames, text
    >>> partition = ParallelWindows().divided(layout, RopeGeometry(head_dim=4, base=16.0, trained_length=4), 2.0)
    >>> partition.kept(torch.arange(10)).tolist()
    [0, 1, 2, 1, 2, 3, 4, 3, 4, 5]
    """

    # text behind the video gives all windows together the weight of a video of training | each key counts as ever
    as_one: bool | int | str = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("rope_strategy.as_one", self.as_one)

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        spans = layout.prefix.spans
        frames = sum(span.is_frame for span in spans)
        count, seen = max(min(math.ceil(factor), frames), 1), 0  # windows, and frames so far
        stands = [0] * count  # where each window's next token is
        of, positions = [], []
        for span in spans:
            if span.is_frame or 0 < seen < frames:
                window = seen % count
                start = stands[window]
                stands[window] += span.length if span.advance is None else span.advance
            else:
                window, start = count if seen else -1, max(stands)
                stands = [start + span.length] * count
            seen += span.is_frame
            of += [window] * span.length
            positions += [start + place for place in span.places or range(span.length)]
        ends = torch.tensor([*positions, max(stands)])
        return windows(torch.tensor(of, dtype=torch.long), count, ends, self._weight(layout, geometry, count))

    def _weight(self, layout: Layout, geometry: RopeGeometry, count: int) -> float:
        """Of a visual key to a question: their number times it is that of training, which a budget may have left."""
        if not self.as_one:
            return 1.0
        if self.window != "visual":  # the trained length is the LLM's
            return 1 / count
        return min(1.0, geometry.trained_length / max(layout.visual_length, 1))
