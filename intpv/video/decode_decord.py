"""decord: a faster start for a few frames of VP8, VP9 and of H.264 and H.265 with closed GOPs.

Elsewhere it returns wrong frames without an error: open GOPs, intra refresh, MPEG-4 with B-frames, edit lists and
transport streams. It refuses AV1, and rotated pictures of some widths; tests/video/test_numbered.py lists it all. It
takes the stream FFmpeg calls best, which need not be the first. One reader per call: those shared across threads or
forks hang.
"""

import re

import decord
from decord._ffi.base import DECORDError

from intpv.errors import BadInput
from intpv.video.decoded import Decoded
from intpv.video.error import VideoError
from intpv.video.sample import Sampler


def read(path: str, num_frames: int, sampler: Sampler, threads: int, stream: int | None) -> Decoded:
    """Sample F frames of what decord counts in the file."""
    if stream is not None:
        raise BadInput(f"video.decoder=decord cannot choose a stream, got stream {stream}; use video.decoder=pyav")
    try:
        reader = decord.VideoReader(path, num_threads=threads)
        if not len(reader):
            raise VideoError(path, "the video stream holds no frames")
        seconds = None
        if sampler.needs_times:
            seconds = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(float).tolist()
        indices = sampler.indices(len(reader), num_frames, seconds)
        images = reader.get_batch(list(indices)).asnumpy()
        starts = reader.get_frame_timestamp([0, *indices])[:, 0].astype(float)
    except (RuntimeError, DECORDError) as error:
        raise VideoError(path, f"decord cannot decode it ({_reason(error)})") from None
    seconds = tuple((starts[1:] - starts[0]).tolist())
    return Decoded(tuple(images), seconds, indices, len(reader), "decord", decord.__version__)


def _reason(error: Exception) -> str:
    """The first line of the message, without decord's own time, file and line: a stack trace follows it."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"^((\[[\d:]+\] )?\S+\.(cc|h):\d+: )+", "", first)
