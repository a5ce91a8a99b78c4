"""VideoReader: how a run reads its videos: decoder, sampling and order of frames together."""

import os
from dataclasses import dataclass
from functools import cached_property

from intpv.errors import BadInput
from intpv.video.decode import Video, as_video, decoder_version
from intpv.video.order import ORDERS
from intpv.video.process import Process
from intpv.video.sample import Sampler


@dataclass(frozen=True)
class VideoReader:
    """Settings of one run.

    Videos are decoded in a child process, one for each process that reads: a video that hangs the decoder or crashes
    it costs that video alone.
    """

    decoder: str = "pyav"  # pyav | decord
    sampling: str = "midpoint"  # midpoint | linspace | nested | fps
    fps: float | int | None = None  # frames per second, with sampling fps
    repeat: int = 1  # times each frame is shown
    order: str = "ordered"  # ordered | shuffled | reversed
    seed: int = 0  # of the shuffle
    threads: int = 1  # of the decoder; 0 lets it choose
    stream: int | None = None  # stream index in the file; None: the first video stream
    timeout_s: float | int = 60  # seconds for one video; the decoder is killed after it

    def __post_init__(self) -> None:
        Sampler(self.sampling, self.repeat, self.fps)  # refuses what it cannot do before any file is read
        if self.order not in ORDERS:
            raise BadInput(f"video.order must be one of {', '.join(ORDERS)}, got {self.order}")
        if not (isinstance(self.timeout_s, float | int) and self.timeout_s > 0):
            raise BadInput(f"video.timeout_s must be a number of seconds over 0, got {self.timeout_s}")

    @property
    def version(self) -> str:
        """Version of the decoder's package, for environment.json."""
        return decoder_version(self.decoder)

    @cached_property
    def process(self) -> Process:
        """The child that decodes; no setting, so neither compared nor pickled."""
        return Process()

    def read(self, path: str | os.PathLike, num_frames: int) -> Video:
        """The F frames of this file, in order of time whatever `order` says, so that a cache can keep them.

        VideoError names the file and the reason when there are none to be had.
        """
        names = ("decoder", "sampling", "fps", "repeat", "threads", "stream")
        settings = {name: getattr(self, name) for name in names}
        timeout_s = float(self.timeout_s)
        return as_video(self.process.decode(os.fsdecode(path), timeout_s, num_frames=num_frames, **settings))

    def permutation(self, num_frames: int, video_id: str) -> list[int]:
        """The order in which F frames are shown: place -> frame. The video's id seeds the shuffle."""
        return ORDERS[self.order](num_frames, self.seed, video_id)
