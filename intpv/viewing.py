"""Viewing: from a video file to the tower's output; frames and features are made once and then come from the cache."""

import os
import time
from dataclasses import dataclass, field, replace

import torch
import transformers
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.cache.cache import Cache
from intpv.cache.file_hash import file_hash
from intpv.cache.key import key
from intpv.cache.no_cache import NoCache
from intpv.cache.weights_hash import weights_hash
from intpv.data.item import VideoItem
from intpv.laps import laps
from intpv.video.reader import VideoReader
from intpv.video_llm import VideoLLM


@dataclass(frozen=True)
class Frames:
    """The frames of a video, resized and cropped for the tower, in the order of time: the cache keeps no other."""

    pixels: UInt8[Tensor, "F C h w"]
    timestamps: Float[Tensor, " F"]  # seconds
    indices: tuple[int, ...]
    seconds: float  # that decoding and fitting took, when it was done


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

    def frames(self, path: str) -> Frames:
        """Raises VideoError for a file that cannot be decoded; nothing is kept of it."""
        if not os.path.isfile(path):
            return self._decode(path)  # refuses it, without opening what might be a pipe

        def compute() -> dict[str, Tensor]:
            read = self._decode(path)
            indices, seconds = torch.tensor(read.indices), torch.tensor(read.seconds, dtype=torch.float64)
            return {"pixels": read.pixels, "timestamps": read.timestamps, "indices": indices, "seconds": seconds}

        entry = self.cache.fetch("frames", self._frames_key(path), compute)
        return Frames(entry["pixels"], entry["timestamps"], tuple(entry["indices"].tolist()), float(entry["seconds"]))

    def is_ready(self, item: VideoItem) -> bool:
        """Whether the tower's output is in the cache."""
        return os.path.isfile(item.path) and self.cache.contains("tower", self._tower_key(item))

    def view(self, item: VideoItem, frames: Frames | None = None) -> View:
        """The tower's output of a video; `frames` where they are at hand. Raises VideoError as `frames` does."""
        fetched = True

        def compute() -> dict[str, Tensor]:
            nonlocal fetched
            fetched, shown = False, self._shown(frames or self.frames(item.path), item.id)
            start = time.perf_counter()
            with laps() as taken:
                features = self.video_llm.look(shown.pixels, item.id).cpu()  # waits for the device
            encode_s = time.perf_counter() - start
            seconds = torch.tensor([shown.seconds, encode_s, sum(taken["split"])], dtype=torch.float64)
            indices = torch.tensor(shown.indices)
            return {"features": features, "timestamps": shown.timestamps, "indices": indices, "seconds": seconds}

        if not os.path.isfile(item.path):
            self._decode(item.path)  # refuses it
        entry = self.cache.fetch("tower", self._tower_key(item), compute)
        return View(
            entry["features"],
            entry["timestamps"],
            tuple(entry["indices"].tolist()),
            *entry["seconds"].tolist(),
            fetched=fetched,
        )

    def _shown(self, frames: Frames, video_id: str) -> Frames:
        """In the order of `reader.order`: pictures change places, and each is told the time of its new place."""
        places = self.reader.permutation(self.num_frames, video_id)
        indices = tuple(frames.indices[place] for place in places)
        return replace(frames, pixels=frames.pixels[places], indices=indices)

    def _decode(self, path: str) -> Frames:
        start = time.perf_counter()
        video = self.reader.read(path, self.num_frames)
        pixels = self.video_llm.model.preprocess.fit(video.frames)
        return Frames(pixels, video.timestamps, video.indices, time.perf_counter() - start)

    def _frames_key(self, path: str) -> str:
        """The sampling with its count stands for the indices: with the file's content it fixes them, and it is known
        before the file is opened."""
        reader, fit = self.reader, self.video_llm.model.preprocess
        return key(
            "frames",
            file=file_hash(path),
            sampling=[self.num_frames, reader.sampling, reader.fps, reader.repeat, reader.stream],
            decoder=[reader.decoder, reader.version],
            fit=fit.fitting,
        )

    def _tower_key(self, item: VideoItem) -> str:
        model = self.video_llm.model
        return key(
            "tower",
            frames=self._frames_key(item.path),
            normalise=[model.preprocess.mean, model.preprocess.std],
            weights=weights_hash(model.encoder.tower),
            tower=[model.encoder.description, model.encoder.tokens_per_frame, model.encoder.attention],
            shown=self.reader.permutation(self.num_frames, item.id),
            order=self.video_llm.order(self.num_frames, item.id).tolist(),
            versions=[torch.__version__, transformers.__version__],
            device=self.video_llm.device.type,
            seconds=["decode", "encode", "split"],
        )
