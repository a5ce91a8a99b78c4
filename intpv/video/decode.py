"""Decode: a pure function from (path, settings) to the frames shown as tensors."""

from dataclasses import dataclass
from importlib import metadata

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from intpv.video.decoded import Decoded, decode_file
from intpv.video.error import VideoError
from intpv.video.sample import Sampler

__all__ = ["Video", "VideoError", "as_video", "decode", "decoder_version"]

DISTRIBUTIONS = {"pyav": "av", "decord": "decord"}  # decoder -> the package whose version is recorded


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

    Decodes in this process and without a limit of time; VideoReader does it in a child that can be killed. Raises
    VideoError for every file that is missing, is no video, or cannot be decoded to its end.
    """
    return as_video(decode_file(path, num_frames, sampler, decoder, threads, stream))


def as_video(decoded: Decoded) -> Video:
    """The same as tensors."""
    return Video(
        rearrange(torch.from_numpy(np.asarray(decoded.images)), "f h w c -> f c h w"),
        torch.tensor(decoded.seconds, dtype=torch.float64),
        decoded.indices,
        decoded.num_available,
        decoded.decoder,
        decoded.version,
    )


def decoder_version(decoder: str) -> str:
    """Version of the package behind a decoder, without importing it."""
    return metadata.version(DISTRIBUTIONS[decoder])
