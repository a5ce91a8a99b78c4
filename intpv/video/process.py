"""Process: the parent's side of the decoding child, which is killed when it takes too long and started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress

from intpv.errors import BadInput, VideoError
from intpv.video.decoded import Decoded, Hand
from intpv.video.pipe import Answers

START_S = 120.0  # a cold disk is no fault of the first video, so starting has a limit of its own


class Process:
    """At most one child, of the OS process that uses this object: a forked or unpickled copy starts its own."""

    def __init__(self) -> None:
        self._own()

    def _own(self) -> None:
        self._owner, self._lock = os.getpid(), threading.Lock()
        self.child: Child | None = None

    def __reduce__(self):
        return Process, ()

    def decode(self, path: str, timeout_s: float, take: Hand, **settings) -> Decoded:
        """The child's `decode_file`, whose pictures `take` is handed meanwhile. Raises VideoError also when the child
        takes longer than timeout_s, or dies."""
        if self._owner != os.getpid():  # forked: child and lock belong to the process this one came from
            self._stop()
            self._own()
        with self._lock:
            if self.child and self.child.popen.poll() is not None:  # killed between two videos, which is no one's fault
                self._stop()
            self.child = self.child or Child()
            try:
                # the child keeps the working folder it was started in, this process may have changed its own
                request = {"path": os.path.abspath(path), **settings}
                answer = self.child.ask(request, time.monotonic() + timeout_s, take)
            except TimeoutError:
                reason = f"not decoded within video.timeout_s={timeout_s:g} s"
            except (EOFError, BrokenPipeError):
                reason = f"the decoder crashed ({self.child.fate()})"
            except MemoryError:
                reason = "its frames need more memory than there is"
            except BaseException:  # Ctrl-C: an answer is on its way that no one will read
                self._stop()
                raise
            else:
                if isinstance(answer, Decoded):
                    return answer
                if "bad_input" in answer:
                    raise BadInput(answer["bad_input"])
                raise VideoError(path, answer["refused"])
            self._stop()
            raise VideoError(path, reason)

    def _stop(self) -> None:
        if self.child:
            self.child.end()
        self.child = None


class Child:
    """A running child. It is ended with this object, and ends by itself when the process that started it does."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "intpv.video.child"]
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # FFmpeg's own words about damaged files
            # the package may be run from a clone that is not installed; numpy's threads would only slow the start
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), "OMP_NUM_THREADS": "1"},
        )
        assert self.popen.stdin is not None  # both are pipes, as asked for
        assert self.popen.stdout is not None
        self.requests = self.popen.stdin
        self.answers = Answers(self.popen.stdout.fileno())
        self.end = weakref.finalize(self, _end, self.popen, os.getpid())
        try:
            self.answers.message(time.monotonic() + START_S)
        except (EOFError, TimeoutError):
            line = f"the decoder does not start ({self.fate()}): {' '.join(command)}"
            self.end()
            raise BadInput(line) from None

    def ask(self, request: dict, deadline: float, take: Hand) -> Decoded | dict:
        """What there is of the frames that `take` was handed, or why there are none; its own time is none of theirs."""
        self.requests.write(json.dumps(request).encode() + b"\n")
        self.requests.flush()
        while "picture" in (answer := self.answers.message(deadline)):
            picture, start = self.answers.picture(answer["shape"], deadline), time.monotonic()
            take(answer["picture"], picture)
            deadline += time.monotonic() - start
        if "indices" not in answer:
            return answer
        seconds, indices = tuple(answer.pop("seconds")), tuple(answer.pop("indices"))
        return Decoded((), seconds, indices, **answer)

    def fate(self) -> str:
        """How it ended."""
        with suppress(subprocess.TimeoutExpired):  # its pipe closes a moment before it is gone
            self.popen.wait(5)
        code = self.popen.returncode
        if code is None:
            return f"no answer in {START_S:g} s"
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _end(popen: subprocess.Popen, owner: int) -> None:
    """Close the pipes; kill and reap it where it is ours, and not where this process was forked from its owner."""
    if os.getpid() == owner:
        popen.kill()
        with suppress(subprocess.TimeoutExpired):  # a process waiting for a dead disk cannot be killed
            popen.wait(5)
    for pipe in (popen.stdin, popen.stdout):
        with suppress(OSError):
            if pipe:
                pipe.close()
    popen.poll()
