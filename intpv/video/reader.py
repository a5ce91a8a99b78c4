"""VideoReader: how a run reads its videos: decoder, sampling and order of frames together."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from math import inf, isfinite
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.bounds import check_flag, check_whole, shown
from intpv.errors import BadInput, VideoError
from intpv.video.decoded import DECODERS, Decoded, decode_file
from intpv.video.process import Process
from intpv.video.sampling import ORDERS, Clip, Sampler

# Decode: a pure function from (path, settings) to the frames shown as tensors.


__all__ = ["Video", "VideoError", "as_video", "decode", "decoder_version"]

CHUNK = 8  # pictures at their own size
DISTRIBUTIONS = {"pyav": "av", "decord": "decord"}  # decoder -> the package whose version is recorded


@dataclass(frozen=True, eq=False)
class Video:
    """The frames of one video as displayed, turned and mirrored as the file says, in the order of time.

    Pixels that are not square stay as stored: so ffmpeg writes them, and so the models' own pipelines take them (none
    of decord, OpenCV, torchvision and torchcodec, by which transformers reads videos, stretches a picture).
    """

    frames: UInt8[Tensor, "F C H W"]  # RGB, 0 to 255
    timestamps: Float[Tensor, " F"]  # seconds after the video's first frame, or after the start of the clip
    indices: tuple[int, ...]  # which of the available frames
    num_available: int  # frames a full decode returns
    decoder: str
    version: str  # of the decoder's package


def decode(
    path: str,
    num_frames: int,
    sampler: Sampler,
    decoder: str = "pyav",
    threads: int = 1,
    stream: int | None = None,
) -> Video:
    """The F frames that `sampler` picks from the file; `stream` is a stream index, None the first video stream.

    Decodes in this process and without a limit of time; VideoReader does it in a child that can be killed. Raises
    VideoError for every file that is missing, is no video, or cannot be decoded to its end.
    """
    return as_video(decode_file(path, num_frames, sampler, decoder, threads, stream))


def as_video(decoded: Decoded) -> Video:
    """The same as tensors."""
    return _video(_frames(decoded.images), decoded)


def _frames(images: Sequence[np.ndarray]) -> UInt8[Tensor, "F C H W"]:
    return rearrange(torch.from_numpy(np.asarray(images)), "f h w c -> f c h w")


def _video(frames: UInt8[Tensor, "F C H W"], decoded: Decoded) -> Video:
    return Video(
        frames,
        torch.tensor(decoded.seconds, dtype=torch.float64),
        decoded.indices,
        decoded.num_available,
        decoded.decoder,
        decoded.version,
    )


Fit = Callable[[UInt8[Tensor, "f C H W"]], UInt8[Tensor, "f C h w"]]


class Fitted:
    """Pictures of one video as they come, each chunk fitted to the tower's size: at their own size few are there."""

    def __init__(self, fit: Fit | None):
        self.fit, self.waiting, self.done = fit, dict[int, np.ndarray](), dict[int, Tensor]()

    def take(self, index: int, picture: np.ndarray) -> None:
        """One that was there before takes its place."""
        if self.waiting and next(iter(self.waiting.values())).shape != picture.shape:
            self._fit()
        self.waiting[index] = picture
        if len(self.waiting) == CHUNK:
            self._fit()

    def frames(self, indices: Sequence[int]) -> UInt8[Tensor, "F C h w"]:
        """Once all have come."""
        self._fit()
        return torch.stack([self.done[index] for index in indices])

    def _fit(self) -> None:
        if self.waiting:
            frames = _frames([*self.waiting.values()])
            self.done |= zip(self.waiting, self.fit(frames) if self.fit else frames, strict=True)
            self.waiting = {}


@cache
def decoder_version(decoder: str) -> str:
    """Version of the package behind a decoder, without importing it; looked up once, for every video's key has it."""
    return metadata.version(DISTRIBUTIONS[decoder])


@cache
def read_scores(file: str) -> dict[str, list[float]]:
    """Video -> a score for each of its frames, from a JSON object. BadInput naming file and video for anything else."""
    try:
        known = json.loads(Path(file).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"video.scores={file} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise BadInput(f"video.scores={file} is no JSON ({error})") from None
    if not isinstance(known, dict):
        raise BadInput(f"video.scores={file} must be an object of lists, video -> scores, got {type(known).__name__}")
    for name, scores in known.items():
        is_list = isinstance(scores, list) and scores
        if not is_list or not all(type(one) in (int, float) and isfinite(one) for one in scores):
            raise BadInput(f"video.scores={file}: {name} must be a list of numbers, one for each frame")
    return known


@dataclass(frozen=True)
class VideoReader:
    """Settings of one run.

    Videos are decoded in a child process, one for each process that reads: a video that hangs the decoder or crashes
    it costs that video alone.
    """

    decoder: str = "pyav"  # pyav | decord
    sampling: str = "midpoint"  # midpoint | linspace | nested | fps | change | scores
    phase: float | int = 0.5  # where in each of F equal parts, with sampling midpoint
    fps: float | int | None = None  # frames per second, with sampling fps
    scores: str | None = None  # a JSON file of each video's scores, one for each frame, with sampling scores
    repeat: int = 1  # times each frame is shown
    order: str = "ordered"  # ordered | shuffled | reversed
    seed: int = 0  # of the shuffle
    threads: int = 1  # of the decoder; 0 lets it choose
    stream: int | None = None  # stream index in the file; None: the first video stream
    timeout_s: float | int = 60  # seconds for one video; the decoder is killed after it
    blind: bool | int = False  # true: no video is read: the questions are asked of the prompt alone

    def __post_init__(self) -> None:
        check_flag("video.blind", self.blind)
        # refuses what it cannot do before any file is read
        Sampler(self.sampling, self.repeat, self.fps, phase=self.phase)
        for name, known in (("decoder", DECODERS), ("order", ORDERS)):
            if (got := getattr(self, name)) not in (*known,):
                raise BadInput(f"video.{name} must be one of {', '.join(known)}, got {got}")
        for name in ("seed", "threads", "stream"):
            check_whole(f"video.{name}", getattr(self, name), 0, or_null=name == "stream")
        if (self.sampling == "scores") != (self.scores is not None):
            raise BadInput(
                f"video.sampling=scores and video.scores=FILE go together, got video.sampling={self.sampling} and "
                f"video.scores={shown(self.scores)}"
            )
        if not (type(self.timeout_s) in (float, int) and 0 < self.timeout_s < inf):
            raise BadInput(f"video.timeout_s must be a number of seconds over 0, got {self.timeout_s}")

    @property
    def version(self) -> str:
        """Version of the decoder's package, for environment.json."""
        return decoder_version(self.decoder)

    @cached_property
    def process(self) -> Process:
        """The child that decodes; no setting, so neither compared nor pickled."""
        return Process()

    def read(self, path: str | os.PathLike, num_frames: int, clip: Clip | None = None, fit: Fit | None = None) -> Video:
        """The F frames of this file, in order of time whatever `order` says, so that a cache can keep them.

        `clip`: start and end in seconds, as if the file had been cut there. With `fit`, frames are those that it makes
        of a few of them at a time, while the next ones are decoded.
        VideoError names the file and the reason when there are none to be had.
        """
        if self.blind:
            raise BadInput(f"video.blind=true reads no video, got {os.fsdecode(path)} to read")
        names = ("decoder", "sampling", "phase", "fps", "repeat", "threads", "stream")
        settings = {name: getattr(self, name) for name in names}
        timeout_s, scores = float(self.timeout_s), self.scores_of(path)
        settings |= {"num_frames": num_frames, "clip": clip, "scores": scores}
        fitted = Fitted(fit)
        decoded = self.process.decode(os.fsdecode(path), timeout_s, fitted.take, **settings)
        return _video(fitted.frames(decoded.indices), decoded)

    def scores_of(self, path: str | os.PathLike) -> list[float] | None:
        """This video's, under its file's name with or without the suffix; None with another sampling. BadInput where
        there are none."""
        if self.scores is None:
            return None
        known, name = read_scores(self.scores), Path(os.fsdecode(path))
        found = known.get(name.name, known.get(name.stem))
        if found is None:
            few = ", ".join(sorted(known)[:3])
            raise BadInput(f"{self.scores} has no scores for {name.name}, only for {len(known)} videos ({few}, ...)")
        return found

    def permutation(self, num_frames: int, video_id: str) -> list[int]:
        """The order in which F frames are shown: place -> frame. The video's id seeds the shuffle."""
        return ORDERS[self.order](num_frames, self.seed, video_id)
