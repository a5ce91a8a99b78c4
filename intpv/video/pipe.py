"""Answers: what the decoding child sends through its pipe, JSON after its length, then the images as raw bytes."""

import fcntl
import json
import os
import select
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO

import numpy as np

LENGTH = struct.Struct("<Q")  # bytes of JSON
PIPE_BYTES = 1 << 20  # instead of 64 KiB: frames come through in a seventh of the time
LONGEST_WAIT = 3600.0  # s; poll overflows on more, so longer deadlines are waited for in parts


def send(pipe: BinaryIO, message: dict, images: Iterable[np.ndarray] = ()) -> None:
    """Write the message and its images, all of one shape, each once."""
    text = json.dumps(message).encode()
    pipe.write(LENGTH.pack(len(text)) + text)
    for image in images:
        pipe.write(np.ascontiguousarray(image).data.cast("B"))
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

    def images(self, shape: list[int], indices: list[int], deadline: float) -> np.ndarray:
        """uint8 (F, H, W, C) with an image for each index; one that is repeated came through the pipe once."""
        images = np.empty((len(indices), *shape), dtype=np.uint8)
        first: dict[int, int] = {}
        for place, index in enumerate(indices):
            if index in first:
                images[place] = images[first[index]]
            else:
                first[index] = place
                self._fill(memoryview(images[place]).cast("B"), deadline)
        return images

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
