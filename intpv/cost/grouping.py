"""Timing of grouping: what a clock needs to tell the cost of a rearranger alone, beside the tower that it feeds.

Random numbers in a video's sizes: an index reads none of them.
"""

import torch

from intpv.cost import closed_form
from intpv.cost.measured import encoder_of
from intpv.cost.shape import Shape
from intpv.rearranger.rearranger import Rearranger
from intpv.timing import wait_for


class Block:
    """The first block of the tower on one group, called to run it: a video's tower is m x tower_run of them."""

    def __init__(self, shape: Shape, device: torch.device):
        one = Shape(**{**vars(shape), "tower_layers": 1, "tower_run": 1})
        self.device, self.flops = device, closed_form.tower_flops(one)
        self.encoder = encoder_of(one, device, torch.float32)
        self.pixels = torch.randn(1, shape.group, shape.channels, shape.image_size, shape.image_size, device=device)

    def __call__(self) -> None:
        self.encoder.features(self.pixels)
        wait_for(self.device)


class Regroup:
    """One rearranger on tensors of a video's size: called, it splits frames and merges tokens, as every video is."""

    def __init__(self, shape: Shape, frames: int, rearranger: Rearranger, device: torch.device):
        self.rearranger, self.device = rearranger, device
        self.order = rearranger.order(frames, shape.group, "bench")
        size = frames, shape.channels, shape.image_size, shape.image_size
        self.pixels, places = torch.randn(*size, device=device), (*self.order.shape, shape.tokens_per_frame)
        self.wide, self.narrow = (
            torch.randn(*places, width, device=device, dtype=torch.bfloat16)
            for width in (shape.hidden, shape.tower_hidden)
        )

    def __call__(self) -> None:
        self.rearranger.split(self.pixels, self.order)
        self.merge_wide()

    def merge_wide(self) -> None:
        self.rearranger.merge(self.wide, self.order)
        wait_for(self.device)

    def merge_narrow(self) -> None:
        self.rearranger.merge(self.narrow, self.order)
        wait_for(self.device)
