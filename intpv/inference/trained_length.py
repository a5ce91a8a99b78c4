"""The reference `trained_length`: the same videos as the model was trained to see them, through the same code.

F = N frames by the same rule, each shown once and in order of time, contiguous, RoPE as trained, KV cache unquantised:
at F = N every strategy is this baseline, bit for bit.
"""

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from intpv.budget.none import NoBudget
from intpv.data.benchmark import VideoItem
from intpv.inference.viewing import Viewer
from intpv.kv_evict.none import NoEvict
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rope_strategy.none import NoScaling
from intpv.video_llm.context import VideoContext
from intpv.video_llm.video_llm import VideoLLM


@dataclass(frozen=True)
class Shown:
    """A video as one model was shown it: its tokens after the projector, and the context to ask on."""

    tokens: Float[Tensor, "F *P D"]  # in the order in which the LLM reads them
    context: VideoContext


@dataclass(frozen=True)
class TrainedLength:
    """Watches videos at the trained length; views are kept in the run's own cache, so that all its cells share them."""

    viewer: Viewer

    @classmethod
    def of(cls, viewer: Viewer) -> "TrainedLength":
        """The baseline beside a run; `viewer` is the run's."""
        ours, reader = viewer.video_llm, viewer.reader
        baseline = replace(
            ours,
            rearranger=Contiguous(),
            rope_strategy=NoScaling(),
            kv_quant=NoQuant(),
            budget=NoBudget(),
            kv_evict=NoEvict(),
        )
        usual = {"repeat": 1, "order": "ordered"}
        changes: dict[str, Any] = {name: value for name, value in usual.items() if getattr(reader, name) != value}
        once = replace(reader, **changes) if changes else reader  # a reader has a decoding process of its own
        frames = ours.model.encoder.group_length * ours.model.encoder.frames_per_slot
        return cls(Viewer(baseline, once, viewer.cache, frames))

    @property
    def video_llm(self) -> VideoLLM:
        return self.viewer.video_llm

    def watch(self, item: VideoItem) -> Shown:
        """Raises VideoError where this many frames cannot be had of the video."""
        view, llm = self.viewer.view(item), self.video_llm
        context = llm.read(view.features, view.timestamps, item.id)
        return Shown(llm.tokens(view.features, item.id), context)
