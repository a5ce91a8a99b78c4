"""Pictures: decoded frames of one file turned the way they are displayed, under their index."""

from dataclasses import dataclass, field

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from intpv.video.error import VideoError


@dataclass
class Pictures:
    """The wanted frames of one file as they come out, under their display index."""

    path: str
    threads: int = 1  # of the conversion to RGB
    images: dict[int, np.ndarray] = field(default_factory=dict)  # RGB (H, W, C), as displayed
    seconds: dict[int, float] = field(default_factory=dict)  # after the first frame
    # frame.to_ndarray alone would set up a scaler with a thread per core for every single frame
    reformatter: VideoReformatter = field(default_factory=VideoReformatter)

    def keep(self, index: int, frame: av.VideoFrame, second: float) -> None:
        picture = self.reformatter.reformat(frame, format="rgb24", threads=self.threads).to_ndarray()
        turned = np.rot90(picture, k=round(frame.rotation / 90) % 4)  # both counterclockwise
        first = next(iter(self.images.values()), turned)
        if first.shape != turned.shape:
            before, after = (f"{image.shape[1]}x{image.shape[0]}" for image in (first, turned))
            raise VideoError(self.path, f"the picture size changes from {before} to {after}")
        self.images[index] = turned
        self.seconds[index] = second
