"""The mp4 files: what was rendered comes back through the ordinary decoder, and nothing more."""

import av
import numpy as np
import pytest
from einops import rearrange

from intpv.flipbook.render import PACKET, render, write
from intpv.flipbook.scene import FPS, STEPS
from intpv.video.reader import VideoReader


@pytest.fixture(scope="module", params=["slow", "fast"])
def film(request, draw_many, tmp_path_factory):
    ((scene, _),) = draw_many(request.param, 1, stream=10)
    return scene, write(scene, tmp_path_factory.mktemp("film") / "clip.mp4")


def decoded(path, frames: int) -> np.ndarray:
    video = VideoReader().read(path, frames)
    return rearrange(video.frames.numpy(), "f c h w -> f h w c").astype(int)


def test_an_ordinary_h264_file_of_12_8_seconds(film):
    with av.open(str(film[1])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames, stream.average_rate) == (96, 96, STEPS, FPS)
        assert float(stream.duration * stream.time_base) == pytest.approx(12.8)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [8, 64, 256])
def test_sampled_frames_are_the_rendered_steps(film, frames):
    scene, path = film
    video = VideoReader().read(path, frames)
    error = np.abs(decoded(path, frames) - render(scene, video.indices))
    assert video.num_available == STEPS
    assert np.allclose(video.timestamps, np.array(video.indices) / FPS)
    assert error.mean((1, 2, 3)).max() < 3  # grey levels; a frame of its neighbour's moment differs by more than 5
    assert error.mean() < 1.5


def test_pictures_that_look_equal_decode_equal(film):
    """No trace of what happened between two sampled frames, or the ceiling would not hold for the files."""
    scene, path = film
    looks: dict[bytes, set[bytes]] = {}
    for picture, frame in zip(render(scene, range(STEPS)), decoded(path, STEPS), strict=True):
        looks.setdefault(picture.tobytes(), set()).add(frame.tobytes())
    assert len(looks) < STEPS  # some are equal
    assert all(len(frames) == 1 for frames in looks.values())


def test_the_size_of_a_coded_frame_tells_nothing(draw_many, tmp_path):
    for number, (scene, _) in enumerate(draw_many("fast", 3, stream=11)):
        with av.open(str(write(scene, tmp_path / f"{number}.mp4"))) as container:
            sizes = [packet.size for packet in container.demux(video=0) if packet.pts is not None]
        assert sizes == [PACKET] * STEPS


def test_the_same_scene_gives_the_same_bytes_and_leaves_nothing_else(film, tmp_path):
    scene, path = film
    again = write(scene, tmp_path / "new" / "again.mp4")
    assert again.read_bytes() == path.read_bytes()
    assert [file.name for file in again.parent.iterdir()] == ["again.mp4"]


def test_a_broken_off_write_leaves_no_file(film, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("interrupted")

    monkeypatch.setattr("intpv.flipbook.render.draw", fail)
    with pytest.raises(RuntimeError, match="interrupted"):
        write(film[0], tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())
