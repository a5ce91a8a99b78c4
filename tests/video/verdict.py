"""Verdict: whether what a reader made of a file keeps the law, by a sequential decode that never seeks.

The law: a file is refused in one line of at most 300 characters with its name in it, or answered exactly. Exact means
index by index what a full decode returns. A damaged clip that is long enough to be read by seeking has one other way to
be exact, because a full decode of it may fail, silently drop frames or carry damage on in a part that seeking never
touches: each frame is the one shown at the very same time by a decode that goes on after errors, or, only where a full
decode fails, by the file before it was damaged.
"""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from intpv.video.container import SHORT
from intpv.video.reader import Video, VideoError, VideoReader

LAWFUL = ("answered", "refused")
VERDICTS = (*LAWFUL, "hung", "crashed", "wrong", "unsteady")


@dataclass(frozen=True)
class Shown:
    """What decoding from start to end shows, packets that cannot be decoded left out."""

    frames: list[np.ndarray]  # RGB (H, W, C), as stored
    times: np.ndarray  # seconds after the first frame, nan where the file has no times
    complete: bool  # no packet failed

    def has(self, image: np.ndarray, second: float) -> bool:
        """Whether this image is shown at that time."""
        return any(np.array_equal(image, self.frames[i]) for i in np.flatnonzero(np.abs(self.times - second) < 1e-6))


def sequential(path: str, threads: int = 1) -> Shown:
    """Every frame that comes out, in the order in which they come."""
    frames, ticks, complete = [], [], True
    reformatter = VideoReformatter()
    with av.open(f"file:{path}", metadata_errors="ignore") as container:
        video = container.streams.video[0]
        video.codec_context.thread_count, video.codec_context.thread_type = threads, "AUTO"
        base = video.time_base
        for packet in container.demux(video):
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                complete = False
                continue
            for frame in decoded:
                frames.append(reformatter.reformat(frame, format="rgb24").to_ndarray())
                ticks.append(np.nan if frame.pts is None else float(frame.pts * base))
    return Shown(frames, np.array(ticks) - ticks[0], complete)


def is_steady(path: str) -> bool:
    """Whether FFmpeg's own full decodes agree, with one thread and with four: else no picture is the file's own."""
    one, four = (sequential(path, threads).frames for threads in (1, 4))
    return len(one) == len(four) and all(map(np.array_equal, one, four))


def exact(video: Video, shown: Shown, turns: int = 0, undamaged: Shown | None = None) -> bool:
    """The law for a file that is answered; `turns` are quarter turns counterclockwise from stored to displayed."""
    images = [np.rot90(frame.permute(1, 2, 0).numpy(), -turns) for frame in video.frames]
    if shown.complete and len(shown.frames) == video.num_available:
        pairs = zip(images, video.indices, strict=True)
        if all(np.array_equal(image, shown.frames[index]) for image, index in pairs):
            return True
    judges = [shown] if shown.complete or undamaged is None else [shown, undamaged]
    return video.num_available > SHORT and all(
        any(judge.has(image, second) for judge in judges)
        for image, second in zip(images, video.timestamps.tolist(), strict=True)
    )


def verdict(reader: VideoReader, path: str, turns: int = 0, undamaged: Shown | None = None) -> tuple[str, str]:
    """(one of VERDICTS, the reader's own line or what is wrong)"""
    try:
        video = reader.read(path, 8)
    except VideoError as error:
        line = str(error)
        if "not decoded within" in line:
            return "hung", line
        if "crashed" in line:
            return "crashed", line
        name = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in Path(path).name)
        clear = len(line) <= 300 and len(line.splitlines()) == 1 and name in line and line.isprintable()
        return "refused" if clear else "wrong", line
    except Exception as error:
        return "wrong", f"{path!r}: {type(error).__name__}: {error}"
    word = "answered" if exact(video, sequential(path), turns, undamaged) else "wrong"
    return word, f"{path!r}: {video.num_available} frames"
