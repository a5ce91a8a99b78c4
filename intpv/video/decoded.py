"""Decoded: what a decoder makes of a file, without torch, so that the child process that decodes starts fast."""

import importlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from intpv.errors import BadInput, VideoError
from intpv.video.sampling import OutsideVideo, Sampler

DECODERS = ("pyav", "decord")
Hand = Callable[[int, np.ndarray], None]  # is handed each picture (H, W, C) under its index as it comes, some twice


@dataclass(frozen=True, eq=False)
class Decoded:
    """The frames a sampler picked, as displayed, in the order of time."""

    images: tuple[np.ndarray, ...]  # F times uint8 RGB (H, W, C), a repeated frame one array; () where handed on
    seconds: tuple[float, ...]  # F, after the video's first frame, or after the start of the clip
    indices: tuple[int, ...]  # F, which of the available frames
    num_available: int  # frames a full decode returns
    decoder: str
    version: str  # of the decoder's package


def decode_file(
    path: str,
    num_frames: int,
    sampler: Sampler,
    decoder: str,
    threads: int,
    stream: int | None,
    hand: Hand | None = None,
) -> Decoded:
    """The F frames that `sampler` picks from the file; with `hand` none is kept here. Raises VideoError for a file that
    cannot be used."""
    if decoder not in DECODERS:
        raise BadInput(f"video.decoder must be one of {', '.join(DECODERS)}, got {decoder}")
    check_file(path)
    try:
        backend = importlib.import_module(f"intpv.video.decode_{decoder}")
    except ImportError as error:
        raise BadInput(
            f"video.decoder={decoder} is not installed here ({error}); video.decoder=pyav is exact"
        ) from None
    try:
        decoded: Decoded = backend.read(path, num_frames, sampler, threads, stream, hand)
    except OutsideVideo as error:
        raise VideoError(path, str(error)) from None
    if sampler.clip is None:
        return decoded
    # as of a file that was cut there: the first frame may have come a moment before
    return replace(decoded, seconds=tuple(max(time - sampler.clip[0], 0.0) for time in decoded.seconds))


def check_file(path: str) -> None:
    """Refuse what is no file to read; a FIFO is never opened, because that would wait for its writer."""
    try:
        mode, first = os.stat(path).st_mode, b""
        if stat.S_ISREG(mode):
            with open(path, "rb") as file:
                first = file.read(1)
    except FileNotFoundError:
        raise VideoError(path, "no such file") from None
    except PermissionError:
        raise VideoError(path, "no permission to read it") from None
    except (OSError, ValueError) as error:  # a name too long, a zero byte in it, a failing disk
        raise VideoError(path, f"cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(mode):
        raise VideoError(path, "is a directory" if stat.S_ISDIR(mode) else "is not a regular file")
    if not first:
        raise VideoError(path, "the file is empty")
