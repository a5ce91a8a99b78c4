"""The streams of streams.py as fixtures, each encoded and judged once per session."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from intpv.video.reader import VideoReader
from tests.video.streams import IN_ORDER, OPEN, STREAMS, X264, encode, full_decode


@dataclass(frozen=True)
class Judged:
    """A stream and what a full decode of it returns."""

    name: str
    path: str
    frames: list[np.ndarray]  # RGB (H, W, C), as stored
    times: list[float]  # seconds after the first frame


@pytest.fixture(scope="session")
def judged(tmp_path_factory):
    """name -> encoded stream with its full decode, made when first asked for."""
    folder = tmp_path_factory.mktemp("streams")

    @cache
    def make(name: str) -> Judged:
        suffix, codec, options = STREAMS[name]
        path = encode(folder / f"{name}.{suffix}", codec, options)
        return Judged(name, str(path), *full_decode(path))

    return make


@pytest.fixture(params=STREAMS)
def any_stream(request, judged) -> Judged:
    return judged(request.param)


@pytest.fixture(params=[name for name in STREAMS if name not in IN_ORDER])
def seekable_stream(request, judged) -> Judged:
    return judged(request.param)


@pytest.fixture(params=IN_ORDER)
def uncertain_stream(request, judged) -> Judged:
    return judged(request.param)


@pytest.fixture(params=OPEN)
def open_stream(request, judged) -> Judged:
    return judged(request.param)


@pytest.fixture(scope="session")
def judge():
    """The full decode, for files a test makes or finds itself."""
    return full_decode


@pytest.fixture(scope="session")
def encode_clip():
    """Encode 700 frames of H.264 with options of the test's own."""
    return lambda path, **options: encode(path, "libx264", X264, **options)


@pytest.fixture
def short_clip(tmp_path) -> Path:
    """30 frames of H.264 in an mp4 whose header stands at the front."""
    return encode(tmp_path / "short.mp4", "libx264", X264, num_frames=30, movflags="faststart")


@pytest.fixture(scope="session")
def reader():
    """Decodes in a child; no file of the tests needs the seconds it may take."""
    return VideoReader(timeout_s=30)


@pytest.fixture(params=["pyav", "decord"])
def decoder(request) -> str:
    """Each decoder there is."""
    if request.param == "decord":
        pytest.importorskip("decord", reason="decord has no wheel for this platform")
    return request.param
