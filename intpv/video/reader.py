"""VideoReader: how a run reads its videos, decoder and sampling rule together."""

import os
from dataclasses import dataclass

from intpv.video.decode import Video, decode, decoder_version
from intpv.video.sample import Sampler


@dataclass(frozen=True)
class VideoReader:
    """Settings of one run; `read` opens the file anew each time, so nothing is shared across threads or forks."""

    decoder: str = "pyav"  # pyav | decord
    rule: str = "midpoints"  # midpoints | endpoints
    repeat: int = 1  # times each frame is shown
    threads: int = 1  # of the decoder; 0 lets it choose
    stream: int | None = None  # stream index in the file; None: the first video stream

    @property
    def version(self) -> str:
        """Version of the decoder's package, for environment.json."""
        return decoder_version(self.decoder)

    def read(self, path: str | os.PathLike, num_frames: int) -> Video:
        """The F frames of this file; VideoError names the file and the reason when there are none to be had."""
        sampler = Sampler(self.rule, self.repeat)
        return decode(os.fspath(path), num_frames, sampler, self.decoder, self.threads, self.stream)
