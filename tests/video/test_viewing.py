"""Viewing: what a cache keeps under a file's hash is what that content shows, whatever becomes of the file."""

import os
import shutil
from dataclasses import dataclass, replace

import pytest
import torch

from intpv.cache.cache import Cache
from intpv.data.benchmark import VideoItem
from intpv.errors import VideoError
from intpv.inference.viewing import Viewer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rope_strategy.none import NoScaling
from intpv.video.reader import VideoReader
from intpv.video_llm.video_llm import VideoLLM
from tests.tiny import tiny_model
from tests.video.streams import X264, encode

FRAMES = 8


@dataclass(frozen=True)
class Slow(VideoReader):
    """Someone replaces the file while it is being decoded."""

    by: str = ""

    def read(self, path, num_frames, part=None, fit=None):
        shutil.copyfile(self.by, path)
        return super().read(path, num_frames, part, fit)


@pytest.fixture
def item(short_clip):
    return VideoItem("clip", str(short_clip), ())


@pytest.fixture
def other(tmp_path):
    """Another video."""
    return str(encode(tmp_path / "other.mp4", "libx264", X264, num_frames=20, first=500))


@pytest.fixture(scope="module")
def llm():
    return VideoLLM(tiny_model(), Contiguous(), NoScaling(), NoQuant())


@pytest.fixture
def viewer(llm, tmp_path):
    return lambda reader: Viewer(llm, reader, Cache(tmp_path / "cache"), FRAMES)


def test_a_file_that_is_replaced_while_it_is_decoded_is_refused_and_not_kept(viewer, item, other, tmp_path):
    original = tmp_path / "original.mp4"
    shutil.copyfile(item.path, original)
    expected = viewer(VideoReader()).frames(replace(item, path=str(original))).pixels
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(VideoError, match=r"short\.mp4: the file changed while it was read$"):
        viewer(Slow(by=other)).view(item)
    shutil.copyfile(original, item.path)
    assert torch.equal(viewer(VideoReader()).frames(item).pixels, expected)


def test_frames_of_a_file_that_was_replaced_since_are_not_taken_for_its_own(viewer, item, other):
    ours = viewer(VideoReader())
    frames = ours.frames(item)
    shutil.copyfile(other, item.path)
    with pytest.raises(VideoError, match=r"short\.mp4: the file changed while it was read$"):
        ours.view(item, frames)
    assert not torch.equal(ours.frames(item).pixels, frames.pixels)


@pytest.mark.parametrize(
    "make", [os.unlink, lambda path: (os.unlink(path), os.mkfifo(path)), lambda path: os.truncate(path, 0)]
)
def test_what_is_no_file_to_read_is_a_refused_video(viewer, item, make):
    make(item.path)
    ours = viewer(VideoReader())
    assert not ours.is_ready(item)
    for see in (ours.view, lambda item: ours.frames(item)):
        with pytest.raises(VideoError, match=r"short\.mp4: (no such file|is not a regular file|the file is empty)$"):
            see(item)


def test_a_file_that_fails_while_it_is_hashed_is_a_refused_video(viewer, item, monkeypatch):
    def fails(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("intpv.inference.viewing.file_hash", fails)
    with pytest.raises(VideoError, match=r"short\.mp4: cannot be read \(Input/output error\)$"):
        viewer(VideoReader()).frames(item)


def test_a_part_of_a_video_is_kept_apart_from_the_whole_and_from_other_parts(viewer, item):
    ours = viewer(VideoReader())
    parts = [replace(item, clip=clip) for clip in (None, (0, 0.4), (0.4, 1))]
    shown = [ours.frames(part) for part in parts]
    assert len({frames.key for frames in shown}) == 3
    assert len({frames.indices for frames in shown}) == 3
    assert [ours.frames(part).indices for part in parts] == [frames.indices for frames in shown]
    ours.view(parts[1])
    assert [ours.is_ready(part) for part in parts] == [False, True, False]


def test_frames_of_another_phase_are_kept_apart(viewer, item):
    shown = [viewer(VideoReader(phase=phase)).frames(item) for phase in (0.25, 0.5, 0.75)]
    assert len({frames.key for frames in shown}) == len({frames.indices for frames in shown}) == 3
