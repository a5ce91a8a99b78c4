"""Slot tokens: the tower's output in the order of time, projected a few slots at a time."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from intpv.encoder.video_encoder import VideoEncoder
from intpv.rearranger.rearranger import Rearranger
from intpv.timing import lap


@dataclass(frozen=True, eq=False)
class SlotTokens:
    """Of one video. `features` may lie on the host: what is asked for goes to the device."""

    encoder: VideoEncoder
    rearranger: Rearranger
    features: Float[Tensor, "m N *P E"]
    order: Int[Tensor, "m N"]
    device: torch.device

    @staticmethod
    def can(encoder: VideoEncoder, rearranger: Rearranger) -> bool:
        """Whether a slot's tokens follow from its own places in the table, and are all that the decoder is given."""
        return type(encoder).inputs is VideoEncoder.inputs and type(rearranger).merge is Rearranger.merge

    def tokens(self, slots: range) -> Float[Tensor, "n *P D"]:
        """Of these slots: what merging all of them gives there."""
        shown = self.order.flatten() if self.rearranger.restore else torch.arange(self.order.numel())
        places = ((shown >= slots.start) & (shown < slots.stop)).nonzero()[:, 0]
        features = self.features.flatten(0, 1)[places.to(self.features.device)]
        projected = self.encoder.project(features[None].to(self.device))
        with lap("merge", self.device):
            return self.rearranger.merge(projected, (shown[places] - slots.start)[None])
