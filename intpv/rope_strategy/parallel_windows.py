"""Parallel windows: interleaved windows of the trained length, each read alone at its own positions (2212.06713)."""

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
    """Frame i is in window i mod W, W = s rounded up: each window is the whole video in as many frames as in training,
    as a strided group of the tower is. A frame sees the text before the video and its own window, at positions of
    training; text behind the video sees all windows.

    So no position outgrows what was trained and, `as_one`, no attention does: where every frame is shown W times in a
    row and the tower's groups are strided, the answers are those to each shown once, up to rounding. Windows of text
    that count for themselves are arXiv 2212.10947, those that count together for one 2212.06713.

    >>> from intpv.layout import Span
    >>> layout = Layout((Span(1), *[Span(2, time=float(i)) for i in range(4)], Span(1)))  # text, four frames, text
    >>> partition = ParallelWindows().divided(layout, RopeGeometry(head_dim=4, base=16.0, trained_length=4), 2.0)
    >>> partition.kept(torch.arange(10)).tolist()
    [0, 1, 2, 1, 2, 3, 4, 3, 4, 5]
    """

    as_one: bool | int | str = True  # text behind the video gives all windows the weight of one | each its own

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("rope_strategy.as_one", self.as_one)

    def divided(self, layout: Layout, geometry: RopeGeometry, factor: float) -> Partition:
        spans = layout.prefix.spans
        frames = sum(span.is_frame for span in spans)
        count, seen = max(min(math.ceil(factor), frames), 1), 0
        stands = [0] * count  # where each window's next token is
        of, positions = [], []
        for span in spans:
            seen += span.is_frame
            if seen and (span.is_frame or seen < frames):  # text between frames goes with the one before it
                window = (seen - 1) % count
                start, advance = stands[window], span.length if span.advance is None else span.advance
                stands[window] += advance
            else:
                window, start = count if seen else -1, max(stands)
                stands = [start + span.length] * count
            of += [window] * span.length
            positions += [start + place for place in span.places or range(span.length)]
        weight = 1 / count if self.as_one else 1.0
        return windows(torch.tensor(of), count, torch.tensor([*positions, max(stands)]), weight)
