"""Viewing: from a video file to the tower's output; frames and features are made once and then come from the cache."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
import transformers
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import IterableDataset

from intpv.cache.cache import Cache
from intpv.cache.hashing import file_hash, key
from intpv.cache.no_cache import NoCache
from intpv.cache.weights_hash import weights_hash
from intpv.data.benchmark import VideoItem
from intpv.errors import VideoError
from intpv.timing import laps
from intpv.video.decoded import check_file
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM

CHANGED = "the file changed while it was read"


@dataclass(frozen=True)
class Frames:
    """The frames of a video, resized and cropped for the tower, in the order of time: the cache keeps no other."""

    pixels: UInt8[Tensor, "F C h w"]
    timestamps: Float[Tensor, " F"]  # seconds
    indices: tuple[int, ...]
    seconds: float  # that decoding and fitting took, when it was done
    key: str = field(compare=False)  # stands for the file's content and all else that they were made of


@dataclass(frozen=True)
class View:
    """A video as the tower saw it; the seconds are those of the process that did the work."""

    features: Float[Tensor, "m N *P E"]
    timestamps: Float[Tensor, " F"]  # seconds
    indices: tuple[int, ...]
    decode_s: float
    encode_s: float
    split_s: float  # of encode_s: frames into groups
    fetched: bool = field(compare=False)  # from the cache: nothing was decoded or encoded for it here


@dataclass(frozen=True)
class Viewer:
    """One model's tower, one way of reading, one number of frames."""

    video_llm: VideoLLM
    reader: VideoReader
    cache: Cache | NoCache
    num_frames: int

    @property
    def frames_shown(self) -> int:
        """0 where the run is blind."""
        return 0 if self.reader.blind else self.num_frames

    def frames(self, item: VideoItem) -> Frames:
        """Raises VideoError for a file that cannot be decoded; nothing is kept of it."""
        frames_key, path = self._frames_key(item), item.path

        def compute() -> dict[str, Tensor]:
            start = time.perf_counter()
            fit = partial(self.video_llm.model.preprocess.fit, of=self.num_frames)
            video = self.reader.read(path, self.num_frames, item.clip, fit)
            seconds = torch.tensor(time.perf_counter() - start, dtype=torch.float64)
            if self._frames_key(item) != frames_key:
                raise VideoError(path, CHANGED)
            indices = torch.tensor(video.indices)
            return {"pixels": video.frames, "timestamps": video.timestamps, "indices": indices, "seconds": seconds}

        entry = self.cache.fetch("frames", frames_key, compute)
        indices, seconds = tuple(entry["indices"].tolist()), float(entry["seconds"])
        return Frames(entry["pixels"], entry["timestamps"], indices, seconds, frames_key)

    def is_ready(self, item: VideoItem) -> bool:
        """Whether the tower's output is in the cache, or is not needed."""
        return bool(self.ready([item]))

    def ready(self, items: Iterable[VideoItem], frames_keys: dict[str, str] | None = None) -> set[str]:
        """Ids of the videos for which `is_ready`; the weights are looked at once. Viewers whose frames are the same may
        share `frames_keys`, by id, which are worked out where they are missing."""
        if self.reader.blind:
            return {item.id for item in items}
        found, weights = set(), weights_hash(self.video_llm.model.encoder.tower)
        keys = {} if frames_keys is None else frames_keys
        for item in items:
            with suppress(VideoError):
                if item.id not in keys:
                    keys[item.id] = self._frames_key(item)
                if self.cache.contains("tower", self._tower_key(item, keys[item.id], weights)):
                    found.add(item.id)
        return found

    def view(self, item: VideoItem, frames: Frames | None = None) -> View:
        """The tower's output of a video; `frames` where they are at hand. Raises VideoError as `frames` does.

        Of a blind run no group of frames: the file is not looked at, and need not be there.
        """
        if self.reader.blind:
            return View(torch.zeros(0, 1, 1, 1), torch.zeros(0, dtype=torch.float64), (), 0.0, 0.0, 0.0, fetched=False)
        fetched, frames_key = True, self._frames_key(item)

        def compute() -> dict[str, Tensor]:
            nonlocal fetched
            fetched, made_of = False, frames or self.frames(item)
            if made_of.key != frames_key:
                raise VideoError(item.path, CHANGED)
            shown = self._shown(made_of, item.id)
            start = time.perf_counter()
            with laps() as taken:
                features = self.video_llm.look(shown.pixels, item.id).cpu()  # waits for the device
            encode_s = time.perf_counter() - start
            seconds = torch.tensor([shown.seconds, encode_s, sum(taken["split"])], dtype=torch.float64)
            indices = torch.tensor(shown.indices)
            return {"features": features, "timestamps": shown.timestamps, "indices": indices, "seconds": seconds}

        weights = weights_hash(self.video_llm.model.encoder.tower)
        entry = self.cache.fetch("tower", self._tower_key(item, frames_key, weights), compute)
        indices, (decode_s, encode_s, split_s) = tuple(entry["indices"].tolist()), entry["seconds"].tolist()
        return View(entry["features"], entry["timestamps"], indices, decode_s, encode_s, split_s, fetched)

    def _shown(self, frames: Frames, video_id: str) -> Frames:
        """In the order of `reader.order`: pictures change places, and each is told the time of its new place."""
        places = self.reader.permutation(self.num_frames, video_id)
        indices = tuple(frames.indices[place] for place in places)
        return replace(frames, pixels=frames.pixels[places], indices=indices)

    def _frames_key(self, item: VideoItem) -> str:
        """The sampling with its count stands for the indices: with the file's content it fixes them, and it is known
        before the file is opened. Raises VideoError for what is no file to read."""
        check_file(path := item.path)
        try:
            content = file_hash(path)
        except OSError as error:
            raise VideoError(path, f"cannot be read ({error.strerror})") from None
        reader, fit = self.reader, self.video_llm.model.preprocess
        # named where they are set, so that what was kept before they could be is found again
        part = {} if item.clip is None else {"clip": [float(second) for second in item.clip]}
        placed = {} if reader.phase == 0.5 else {"phase": float(reader.phase)}
        return key(
            "frames",
            file=content,
            sampling=[
                self.num_frames,
                reader.sampling,
                reader.fps,
                reader.scores_of(path),
                reader.repeat,
                reader.stream,
            ],
            decoder=[reader.decoder, reader.version],
            fit=fit.fitting,
            **part,
            **placed,
        )

    @property
    def _by_pictures(self) -> dict[str, str]:
        """What the order follows from beside the frames, where it looks at them."""
        rearranger = self.video_llm.rearranger
        return {"pictures": repr(rearranger)} if rearranger.sees_pictures else {}

    @cached_property
    def _tower_parts(self) -> dict[str, Any]:
        """What the tower's output of every video follows from, beside the weights."""
        model = self.video_llm.model
        return {
            "normalise": [model.preprocess.mean, model.preprocess.std],
            "tower": [model.encoder.description, model.encoder.tokens_per_frame, model.encoder.attention],
            "side": self.video_llm.budget.tower_side,
            **self._by_pictures,
            "versions": [torch.__version__, transformers.__version__],
            "device": self.video_llm.device.type,
            "seconds": ["decode", "encode", "split"],
        }

    def _tower_key(self, item: VideoItem, frames_key: str, weights: str) -> str:
        return key(
            "tower",
            frames=frames_key,
            weights=weights,
            shown=self.reader.permutation(self.num_frames, item.id),
            order=self.video_llm.order(self.num_frames, item.id).tolist(),
            **self._tower_parts,
        )


# Clips: a benchmark's videos in turn; while one is watched, the next one's frames are already being decoded.


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A video ready to be watched; without frames where they are not needed, with an error where there are none."""

    item: VideoItem
    frames: Frames | None = None
    error: str | None = None


class Clips(IterableDataset):
    """`needs` tells of a video whether its frames have to be had at all: nothing is decoded that a cache makes idle."""

    def __init__(self, items: Sequence[VideoItem], viewer: Viewer, needs: Callable[[VideoItem], bool]):
        self.items, self.viewer, self.needs = items, viewer, needs

    def __iter__(self) -> Iterator[Loaded]:
        # one thread is enough: decoding itself runs in the reader's child process
        if not self.items:
            return
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as ahead:
            pending = ahead.submit(self._load, self.items[0])
            for following in self.items[1:]:
                loaded = pending.result()
                pending = ahead.submit(self._load, following)
                yield loaded
            yield pending.result()

    def _load(self, item: VideoItem) -> Loaded:
        try:
            return Loaded(item, self.viewer.frames(item) if self.needs(item) else None)
        except VideoError as error:
            return Loaded(item, error=str(error))
