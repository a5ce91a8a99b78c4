"""Memory: the peaks of watching and of asking one video, apart, and what of them is activations.

The video is watched and asked once more for it, beside the run: seconds are never taken while memory is counted, and
what a cache spared the run is counted all the same. On a CPU the prefix is read by the plain path
(kv_quant.decode=eager): compiled code takes its memory where no count sees it.

memory/weights_bytes            the LLM's parameters and buffers (in every run)
memory/tower_bytes              the tower's and the projector's (in every run)
memory/held_bytes               both, and what watching leaves on the device as counted: on a CPU kv/bytes to the byte,
                                on CUDA rounded up to the allocator's blocks
memory/watch_peak_bytes         weights, tower, and the most that frames, tower, prefill and packing hold at once
memory/ask_peak_bytes           memory/held_bytes, and the most that all questions of the video hold at once
memory/peak_bytes               the larger of the two
memory/watch_activations_bytes  watch's peak less memory/held_bytes: where the prefix is quantised, its full-precision
                                form is a part of it
memory/ask_activations_bytes    ask's peak less memory/held_bytes
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.measure.ledger import weights
from intpv.measure.memory_count import counting
from intpv.video_llm import VideoLLM
from intpv.watched import VideoContext


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Of how many videos, and whether also without a GPU: counting costs a CPU twice the video's time."""

    videos: int = 1  # the first of the benchmark; the cell's figure is the largest
    on_cpu: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.videos, int) or isinstance(self.videos, bool) or self.videos < 1:
            raise BadInput(f"measure.memory.videos must be a whole number of at least 1, got {self.videos}")
        if not isinstance(self.on_cpu, bool):
            raise BadInput(f"measure.memory.on_cpu must be true or false, got {self.on_cpu}")

    def on(self, device: torch.device) -> bool:
        """Whether anything is measured there."""
        return device.type == "cuda" or (self.on_cpu and device.type == "cpu")

    @torch.inference_mode()
    def measure(
        self,
        video_llm: VideoLLM,
        pixels: UInt8[Tensor, "F C h w"],
        timestamps: Float[Tensor, " F"],
        video_id: str,
        questions: Sequence[str],
        options: Sequence[Sequence[str]] | None = None,
    ) -> dict[str, int]:
        """The metrics above in bytes; `pixels` are fitted frames, as the tower takes them."""
        if video_llm.device.type == "cpu":
            video_llm = replace(video_llm, kv_quant=replace(video_llm.kv_quant, decode="eager"))
        with counting(*video_llm.model.devices) as watching:
            context = _watch(video_llm, pixels, timestamps, video_id)
        with counting(*video_llm.model.devices) as asking:
            video_llm.ask(context, questions, options)
        own = weights(video_llm.model.llm, video_llm.model.encoder)
        loaded = sum(own.values())
        held, watch = loaded + watching.held, loaded + watching.peak
        named = {
            "held": held,
            "watch_peak": watch,
            "ask_peak": held + asking.peak,
            "peak": max(watch, held + asking.peak),
            "watch_activations": watch - held,
            "ask_activations": asking.peak,
        }
        return own | {f"memory/{name}_bytes": size for name, size in named.items()}


def _watch(video_llm: VideoLLM, pixels: Tensor, timestamps: Tensor, video_id: str) -> VideoContext:
    """In the steps of a run: the tower's output waits on the host, everything else is gone when the next step begins.

    The copy makes the frames count wherever they are.
    """
    features = video_llm.look(pixels.to(video_llm.device, copy=True), video_id).cpu()
    prefill = video_llm.prefill(features, timestamps, video_id)
    del features
    return video_llm.pack(prefill)
