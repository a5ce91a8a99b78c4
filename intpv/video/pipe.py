"""Answers: what the decoding child sends through its pipe, JSON after its length; a picture's raw bytes follow it.

Pictures come one by one as they are decoded, so that neither side ever holds a video at its full size.
"""

import fcntl
import json
import os
import select
import struct
import time
from contextlib import suppress
from typing import BinaryIO

import numpy as np

LENGTH = struct.Struct("<Q")  # bytes of JSON
PIPE_BYTES = 1 << 20  # instead of 64 KiB: frames come through in a seventh of the time
LONGEST_WAIT = 3600.0  # s; poll overflows on more, so longer deadlines are waited for in parts


def send(pipe: BinaryIO, message: dict, picture: np.ndarray | None = None) -> None:
    """Write the message, and the picture whose `shape` it tells."""
    text = json.dumps(message).encode()
    pipe.write(LENGTH.pack(len(text)) + text)
    if picture is not None:
        pipe.write(np.ascontiguousarray(picture).data.cast("B"))
    pipe.flush()


class Answers:
    """The parent's end. Every read ends by the deadline (s of time.monotonic) with TimeoutError, or EOFError."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.poll = select.poll()
        self.poll.register(pipe, select.POLLIN)
        with suppress(AttributeError, OSError):  # Linux alone has it, and not beyond a user's share
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def message(self, deadline: float) -> dict:
        length = bytearray(LENGTH.size)
        self._fill(length, deadline)
        text = bytearray(LENGTH.unpack(length)[0])
        self._fill(text, deadline)
        return json.loads(text)

    def picture(self, shape: list[int], deadline: float) -> np.ndarray:
        """uint8 (H, W, C)."""
        picture = np.empty(shape, dtype=np.uint8)
        self._fill(picture.data.cast("B"), deadline)
        return picture

    def _fill(self, buffer: bytearray | memoryview, deadline: float) -> None:
        left = memoryview(buffer)
        while left:
            wait = deadline - time.monotonic()
            if self.poll.poll(1000 * min(max(wait, 0), LONGEST_WAIT)):
                count = os.readv(self.pipe, [left])
                if not count:
                    raise EOFError
                left = left[count:]
            elif wait <= 0:
                raise TimeoutError
