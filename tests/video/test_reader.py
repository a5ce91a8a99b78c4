"""VideoReader and conf/video: each option composes, instantiates and reads."""

from importlib import metadata
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from experiments.run.command import unchecked
from intpv.errors import BadInput, VideoError
from intpv.video.reader import VideoReader
from intpv.video.sampling import ORDERS
from tests.video.streams import number_in

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "video").glob("*.yaml"))
READING = [path for path in OPTIONS if path.stem != "blind"]


def made(path):
    """As a run makes it, beside the keys that it refers to."""
    return instantiate(unchecked([f"video={path.stem}"])[0]["video"])


@pytest.mark.slow
@pytest.mark.parametrize("path", READING, ids=lambda path: path.stem)
def test_the_option_reads_a_clip(path, short_clip):
    reader = made(path)
    video = reader.read(short_clip, 8)
    assert video.frames.shape == (8, 3, 48, 64)
    assert (video.decoder, video.version) == (reader.decoder, reader.version)
    assert reader.version == metadata.version("av")


def test_the_default_is_the_class_without_arguments():
    assert made(OPTIONS[0].with_name("default.yaml")) == VideoReader()


@pytest.mark.slow
def test_the_controls_are_what_they_say(short_clip):
    readers = {path.stem: made(path) for path in OPTIONS}
    assert {name for name, reader in readers.items() if reader.blind} == {"blind"}
    whole = readers["default"].read(short_clip, 8)
    assert set(readers["one_frame"].read(short_clip, 8).indices) == {15}  # the middle of 30
    assert len(set(readers["repeated"].read(short_clip, 8).indices)) == 4 < len(set(whole.indices))
    orders = {name: reader.permutation(8, "clip") for name, reader in readers.items()}
    assert orders["reversed"] == list(range(8))[::-1]
    assert sorted(orders["shuffled"]) == orders["one_frame"] == orders["default"] != orders["shuffled"]


@pytest.mark.parametrize("order", ORDERS)
def test_frames_are_read_in_the_order_of_time_whatever_order_they_are_shown_in(short_clip, order):
    video = VideoReader(order=order).read(short_clip, 8)
    assert torch.equal(video.frames, VideoReader().read(short_clip, 8).frames)
    assert video.timestamps.tolist() == sorted(video.timestamps.tolist())


def test_a_fixed_rate_follows_the_clock_of_the_file(encode_clip, tmp_path, decoder):
    unequal = encode_clip(tmp_path / "unequal.mp4", num_frames=32, gap=3)  # frames last 0.04 and 0.12 s in turn
    video = VideoReader(decoder=decoder, sampling="fps", fps=6.25).read(unequal, 16)  # a step of 0.16 s
    assert [number_in(frame.permute(1, 2, 0).numpy()) for frame in video.frames] == list(range(0, 32, 2))


def test_the_phase_goes_along_to_the_decoder(short_clip, decoder):
    few = [VideoReader(decoder=decoder, phase=phase).read(short_clip, 4).indices for phase in (0.25, 0.75)]
    assert sorted(few[0] + few[1]) == sorted(VideoReader(decoder=decoder).read(short_clip, 8).indices)


def test_settings_that_cannot_be_are_refused_before_any_file_is_read():
    with pytest.raises(BadInput, match=r"one of ordered, shuffled, reversed, got random"):
        VideoReader(order="random")
    with pytest.raises(BadInput, match=r"needs video.fps"):
        VideoReader(sampling="fps")


def test_repeated_frames_are_shown_at_their_own_time(short_clip):
    video = VideoReader(repeat=4).read(str(short_clip), 8)
    distinct = VideoReader().read(str(short_clip), 2)
    assert video.indices == (*(4 * [distinct.indices[0]]), *(4 * [distinct.indices[1]]))
    assert video.timestamps.tolist() == [t for t in distinct.timestamps.tolist() for _ in range(4)]
    with pytest.raises(BadInput, match=r"frames must be a multiple of video.repeat=4, got 6"):
        VideoReader(repeat=4).read(str(short_clip), 6)


def test_a_clip_is_read_as_if_the_file_had_been_cut_there(encode_clip, tmp_path, decoder):
    unequal = encode_clip(tmp_path / "unequal.mp4", num_frames=32, gap=3)  # frames last 0.04 and 0.12 s in turn
    video = VideoReader(decoder=decoder).read(unequal, 4, (0.5, 0.8))  # 0.48, 0.52, 0.64, 0.68 s
    assert [number_in(frame.permute(1, 2, 0).numpy()) for frame in video.frames] == [6, 7, 8, 9]
    assert video.timestamps.tolist() == pytest.approx([0, 0.02, 0.14, 0.18], abs=1e-3)
    assert VideoReader(decoder=decoder).read(unequal, 2, (2.42, 99)).indices == (30, 31)  # it ends at 2.48 s


def test_a_clip_beyond_the_end_costs_that_video_alone(short_clip):
    with pytest.raises(VideoError, match=r"short.mp4: the clip from 9 to 10 s begins after its end at 1.2 s"):
        VideoReader().read(short_clip, 8, (9, 10))
