"""Decode: a pure function from (path, settings) to the frames shown, so that it can run in a child process."""

import importlib
import os
from dataclasses import dataclass
from importlib import metadata

from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.errors import BadInput
from intpv.video.sample import Sampler

DISTRIBUTIONS = {"pyav": "av", "decord": "decord"}  # decoder -> the package whose version is recorded


class VideoError(BadInput):
    """A video file that cannot be used: one line with the file and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")

    def __reduce__(self):
        # the default would call __init__ with the finished line alone, and a child process could not hand it back
        return _rebuild, (self.args[0],)


@dataclass(frozen=True, eq=False)
class Video:
    """The frames of one video as displayed (rotation applied), in the order of time."""

    frames: UInt8[Tensor, "F C H W"]  # RGB, 0 to 255
    timestamps: Float[Tensor, " F"]  # seconds after the video's first frame
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

    Raises VideoError for every file that is missing, is no video, or cannot be decoded to its end.
    """
    if decoder not in DISTRIBUTIONS:
        raise BadInput(f"video.decoder must be one of {', '.join(DISTRIBUTIONS)}, got {decoder}")
    if not os.path.exists(path):
        raise VideoError(path, "no such file")
    if not os.path.isfile(path):
        raise VideoError(path, "is a directory" if os.path.isdir(path) else "is not a regular file")
    if not os.path.getsize(path):
        raise VideoError(path, "the file is empty")
    try:
        backend = importlib.import_module(f"intpv.video.decode_{decoder}")
    except ImportError as error:
        raise BadInput(
            f"video.decoder={decoder} is not installed here ({error}); video.decoder=pyav is exact"
        ) from None
    return backend.read(path, num_frames, sampler, threads, stream)


def decoder_version(decoder: str) -> str:
    """Version of the package behind a decoder, without importing it."""
    return metadata.version(DISTRIBUTIONS[decoder])


def _rebuild(line: str) -> VideoError:
    error = VideoError.__new__(VideoError)
    error.args = (line,)
    return error
