"""Draw a scene: one 96 x 96 picture per step."""

import os
import threading
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from .scene import FPS, TORUS, Scene

SIZE = 96  # px
BORDER = 8  # px, frame that holds the four lights
CORNER = 16  # px, squares that the cause turns white
SQUARE = 24  # px, the mover
DISC = 20  # px, the distractors
DARK, BRIGHT = 30, 240  # grey levels of lights and corners
RGB = {
    "red": (225, 35, 35),
    "orange": (240, 140, 20),
    "yellow": (240, 230, 50),
    "green": (40, 180, 60),
    "cyan": (50, 215, 225),
    "blue": (45, 70, 230),
    "purple": (135, 45, 190),
    "pink": (250, 140, 195),
}
_LIGHT = {
    "north": (slice(0, BORDER), slice(CORNER, SIZE - CORNER)),
    "south": (slice(SIZE - BORDER, SIZE), slice(CORNER, SIZE - CORNER)),
    "west": (slice(CORNER, SIZE - CORNER), slice(0, BORDER)),
    "east": (slice(CORNER, SIZE - CORNER), slice(SIZE - BORDER, SIZE)),
}
_GRID = np.mgrid[0:DISC, 0:DISC] - (DISC - 1) / 2
_ROUND = (_GRID**2).sum(0) <= (DISC / 2) ** 2


def _stamp() -> UInt8[np.ndarray, "h w 3"]:
    square = np.full((SQUARE, SQUARE, 3), 10, np.uint8)
    square[4:-4, 4:-4] = 250  # dark rim, white heart: visible on every colour
    return square


_MOVER = _stamp()


def draw(scene: Scene, step: int) -> UInt8[np.ndarray, "h w 3"]:
    """The picture at one step (RGB)."""
    picture = np.full((SIZE, SIZE, 3), DARK, np.uint8)
    canvas = picture[BORDER : SIZE - BORDER, BORDER : SIZE - BORDER]
    canvas[:] = scene.background
    for flash in scene.flashes:
        if flash.start <= step < flash.stop:
            canvas[:] = RGB[flash.what]
    for disc, x, y in scene.discs:
        if disc.start <= step < disc.stop:
            canvas[y : y + DISC, x : x + DISC][_ROUND] = RGB[disc.what]
    x, y = scene.mover.place(step)
    columns, rows = (np.arange(x, x + SQUARE) % TORUS), (np.arange(y, y + SQUARE) % TORUS)
    canvas[rows[:, None], columns] = _MOVER
    for cue in scene.cues:
        if cue.start <= step < cue.stop:
            picture[_LIGHT[cue.what]] = BRIGHT
    corner = BRIGHT if step >= scene.change else 0
    for edge in (slice(0, CORNER), slice(SIZE - CORNER, SIZE)):
        picture[edge, :CORNER] = corner
        picture[edge, SIZE - CORNER :] = corner
    return picture


def render(scene: Scene, steps) -> UInt8[np.ndarray, "F h w 3"]:
    """The pictures at the given steps, in their order."""
    return np.stack([draw(scene, int(step)) for step in steps])


# Write a scene as an H.264 mp4: frames of 96 x 96 px at 20 frames per second.


# every frame is coded by itself at one quantiser: frames that look equal decode equal, so that nothing of an event
# between two sampled frames leaks into them (with P and B frames four in ten pictures depend on their neighbours)
OPTIONS = {"qp": "16", "g": "1"}
# and padded to one size: a bright canvas takes more bytes than a quiet one, and in 19 pairs of 20 that alone would tell
# a flash to whatever chooses frames by their size
PACKET = 1280  # bytes of a coded frame, or a multiple of it


def write(scene: Scene, path: str | os.PathLike) -> Path:
    """Render and encode the clip (about 0.1 s, 330 kB); the file appears complete or not at all.

    The same scene gives the same bytes with the same FFmpeg and x264, whatever the process. Decoded frames differ from
    the rendered ones by about 1 grey level on average, mostly 4:2:0 chroma at edges.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        _encode(scene, part)
        os.replace(part, path)  # two processes may both get here: they replace a file by its equal
    finally:
        part.unlink(missing_ok=True)
    return path


def _encode(scene: Scene, path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        stream.codec_context.thread_count = 1  # with more, bytes would depend on the number of cores
        for step in range(scene.steps):
            picture = draw(scene, step)
            packets = stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
            container.mux([_padded(packet) for packet in packets])
        container.mux([_padded(packet) for packet in stream.encode(None)])


def _padded(packet: av.Packet) -> av.Packet:
    """With H.264's filler data (NAL unit type 12, which decoders skip) behind it, up to a multiple of PACKET bytes."""
    content, start, end = bytes(packet), b"\0\0\0\1\x0c", b"\x80"
    # in an mp4 every unit begins with four bytes, here some with three
    grows = content.count(start[1:4]) - content.count(start[:4])
    room = -(len(content) + grows + len(start) + len(end)) % PACKET
    whole = av.Packet(content + start + b"\xff" * room + end)
    for name in ("pts", "dts", "duration", "time_base", "is_keyframe", "stream"):
        setattr(whole, name, getattr(packet, name))
    return whole
