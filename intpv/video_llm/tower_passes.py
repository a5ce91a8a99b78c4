"""Tower passes: fitted frames through the tower, some groups at a time."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from intpv.budget.budget import Budget
from intpv.model.model import Model
from intpv.rearranger.rearranger import Rearranger
from intpv.timing import lap
from intpv.video_llm.passes import Passes


@dataclass(frozen=True)
class TowerPasses:
    """What of a Video-LLM shapes the tower's output."""

    model: Model
    rearranger: Rearranger
    budget: Budget
    passes: Passes

    def look(
        self, pixels: UInt8[Tensor, "F C h w"], order: Int[Tensor, "m N"], video_id: str
    ) -> Float[Tensor, "m N *P E"]:
        """Of groups as `order` names them. Frames that are shown by their pictures stand there all the same."""
        encoder = self.model.encoder
        together = encoder.frames_per_slot
        slots = pixels if together == 1 else pixels.unflatten(0, (-1, together))
        if not self.rearranger.sees_pictures:
            return self._groups(slots, order)
        with lap("split", self.model.llm.device):
            shown = self.rearranger.order_of(pixels[::together].cpu(), encoder.group_length, video_id)
        in_time = self._groups(slots, shown).flatten(0, 1)[shown.flatten().argsort()]
        return in_time[order]

    def _groups(self, slots: UInt8[Tensor, " F *frame"], order: Int[Tensor, "m N"]) -> Float[Tensor, "m N *P E"]:
        at_once = self.passes.groups(self.model.encoder.frames_per_slot * order.shape[1], len(order))
        features = None
        for start in range(0, len(order), at_once):
            with lap("split", self.model.llm.device):
                groups = self.rearranger.split(slots, order, slice(start, start + at_once))
            part = self._encoded(groups)
            if at_once >= len(order):
                return part
            if features is None:  # they wait where the frames do
                features = torch.empty(len(order), *part.shape[1:], dtype=part.dtype, device=slots.device)
            features[start : start + at_once] = part
        assert features is not None  # there is no order without groups
        return features

    def _encoded(self, groups: UInt8[Tensor, "m N *frame"]) -> Float[Tensor, "m N *P E"]:
        """A pass of the tower."""
        encoder, side = self.model.encoder, self.budget.tower_side
        frames = self.model.preprocess.normalise(groups.flatten(0, -4).to(self.model.llm.device))
        if side is None:
            return encoder.features(frames.view(*groups.shape[:-2], *frames.shape[-2:]))
        smaller = encoder.smaller(frames, side)
        return encoder.features(smaller.view(*groups.shape[:-2], *smaller.shape[-2:]), side)
