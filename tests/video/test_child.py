"""The child's own side: it starts without torch, and has an answer whatever happens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from intpv.video import child
from intpv.video.reader import VideoError


def test_the_child_does_not_know_torch():
    code = "import sys, intpv.video.child, intpv.video.decode_pyav; print({'torch', 'transformers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("x\ny" * 500), r"^cannot be decoded \(ZeroDivisionError: x"),
        (MemoryError(), r"^needs more memory than the \d+ MiB that decoding may take$"),
    ],
)
def test_any_exception_in_the_child_becomes_a_reason(monkeypatch, error, reason):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(child, "decode_file", failing)
    message = child.answer(lambda *_: None, "a.mp4", 8, "midpoint", 1)
    line = str(VideoError("a.mp4", json.loads(json.dumps(message))["refused"]))
    assert len(line) < 300
    assert len(line.splitlines()) == 1
    with pytest.raises(VideoError, match=reason.replace("^", "^a.mp4: ")):
        raise VideoError("a.mp4", message["refused"])
