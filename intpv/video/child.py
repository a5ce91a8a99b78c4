"""Child: the process that decodes for a VideoReader. It knows numpy and the decoders, never torch: it starts in 0.2 s.

A request is one line of JSON on standard input; on standard output come `answers.send`'s, a picture each and at last
what there is to say of all.
"""

import json
import os
import queue
import resource
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import BinaryIO

import numpy as np

from intpv.errors import BadInput, VideoError
from intpv.video.decoded import Decoded, Hand, decode_file
from intpv.video.pipe import send
from intpv.video.sampling import Sampler


def main() -> None:
    """Answer requests one after another, for as long as the parent lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer: it kills this process
    _limit()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the frames
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    send(answers, {"ready": True})
    while True:
        send(answers, answer(partial(_hand, answers), **json.loads(requests.get())))


def _hand(answers: BinaryIO, index: int, picture: np.ndarray) -> None:
    send(answers, {"picture": index, "shape": picture.shape}, picture)


def _listen(stdin: BinaryIO, requests: queue.SimpleQueue) -> None:
    """Hand on requests; when the parent is gone, however it went, end at once, even in the middle of a video."""
    for line in stdin:
        requests.put(line)
    os._exit(0)


def answer(
    hand: Hand,
    path: str,
    num_frames: int,
    sampling: str,
    repeat: int,
    fps: float | None = None,
    scores: list[float] | None = None,
    clip: list[float] | None = None,
    phase: float = 0.5,
    **settings,
) -> dict:
    """What to say once all pictures are handed on, whatever happens."""
    try:
        sampler = Sampler(sampling, repeat, fps, scores, None if clip is None else (clip[0], clip[1]), phase)
        return _described(decode_file(path, num_frames, sampler, **settings, hand=hand))
    except VideoError as error:
        return {"refused": error.reason}
    except BadInput as error:
        return {"bad_input": str(error)}
    except MemoryError:
        return {"refused": f"needs more memory than the {_memory() >> 20} MiB that decoding may take"}
    except Exception as error:
        return {"refused": f"cannot be decoded ({type(error).__name__}: {error})"}


def _described(decoded: Decoded) -> dict:
    return {
        "seconds": decoded.seconds,
        "indices": decoded.indices,
        "num_available": decoded.num_available,
        "decoder": decoded.decoder,
        "version": decoded.version,
    }


def _memory() -> int:
    """Half of the machine's memory in bytes: the other half is for what the parent makes of the frames."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _limit() -> None:
    """A damaged header can ask for any amount of memory: then this process fails, and no other."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = _memory() if hard == resource.RLIM_INFINITY else min(hard, _memory())
    with suppress(ValueError, OSError):  # macOS does not let it be set
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is reported in one line, not in a file of gigabytes
    # a container may have less memory than the machine: then Linux ends this process before the parent
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


if __name__ == "__main__":
    main()
