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
memory/watch_activations_bytes  watch's peak less memory/held_bytes: where the prefix is quantised, the full-precision
                                form of one layer is a part of it
memory/ask_activations_bytes    ask's peak less memory/held_bytes
"""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from intpv.cost.ledger import weights
from intpv.metrics.settings import MemorySettings
from intpv.timing import wait_for
from intpv.video_llm.context import VideoContext
from intpv.video_llm.video_llm import VideoLLM

# Memory count: what a computation allocates on a device, at its peak and at its end, beyond what was there before.
#
# On CUDA it is the allocator's own count (memory_allocated, max_memory_allocated; never what is reserved), over several
# GPUs the sum of each one's peak, which is what they have to hold though it is not at one moment. A CPU's
# allocator has none: there every storage that an operation hands out is counted while something holds it. Buffers that
# live and die inside one operation are not seen on a CPU, nor is what other threads do. Never the process' resident
# size.


@dataclass
class Count:
    """Known when the counting is over."""

    peak: int = 0  # bytes, the most that was held at once
    held: int = 0  # bytes, what was still held at the end


@contextmanager
def counting(*devices: torch.device) -> Iterator[Count]:
    """Count what happens inside; what was there before counts as nothing, also where it is freed."""
    count, kinds = Count(), {device.type for device in devices}
    if kinds == {"cuda"}:
        wait_for(*devices)
        before = sum(map(torch.cuda.memory_allocated, devices))
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        yield count
        wait_for(*devices)
        count.peak = sum(map(torch.cuda.max_memory_allocated, devices)) - before
        count.held = sum(map(torch.cuda.memory_allocated, devices)) - before
    elif kinds == {"cpu"}:
        with LiveStorages() as live:
            yield count
        count.peak, count.held = live.peak, live.held
    else:
        raise ValueError(f"memory is counted on cuda and cpu, got {', '.join(map(str, devices))}")


class LiveStorages(TorchDispatchMode):
    """Bytes of the storages made inside and alive; a view and what is written in place are no new storage."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self._alive: dict[int, weakref.ref] = {}  # by identity: the object of a storage lives as long as the storage

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {id(storage) for storage in _storages((args, tuple((kwargs or {}).values())))}
        for storage in _storages(result):
            if id(storage) not in given and id(storage) not in self._alive:
                self._see(storage)
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        identity, size = id(storage), storage.nbytes()
        self._alive[identity] = weakref.ref(storage, partial(self._gone, identity, size))
        self.held += size
        self.peak = max(self.peak, self.held)

    def _gone(self, identity: int, size: int, _: weakref.ref) -> None:
        self.held -= size
        del self._alive[identity]


def _storages(tree: object) -> Iterator[torch.UntypedStorage]:
    """Of the tensors among arguments or results, which operators nest in lists and tuples alone."""
    if isinstance(tree, torch.Tensor):
        yield tree.untyped_storage()
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from _storages(part)


@dataclass(frozen=True, kw_only=True)
class Memory(MemorySettings):
    """The peaks of a video that is watched and asked for it."""

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
            video_llm.ask(context, questions, options, keep_logits=False)
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
    return video_llm.read(features, timestamps, video_id)
