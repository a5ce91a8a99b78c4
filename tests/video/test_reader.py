"""VideoReader and conf/video: each option composes, instantiates and reads."""

from importlib import metadata
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from intpv.errors import BadInput
from intpv.video.reader import VideoReader

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "video").glob("*.yaml"))


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_the_option_reads_a_clip(path, short_clip):
    reader = instantiate(OmegaConf.load(path))
    video = reader.read(short_clip, 8)
    assert video.frames.shape == (8, 3, 48, 64)
    assert (video.decoder, video.version) == (reader.decoder, reader.version)
    assert reader.version == metadata.version("av")


def test_the_default_is_the_class_without_arguments():
    assert instantiate(OmegaConf.load(OPTIONS[0].with_name("default.yaml"))) == VideoReader()


def test_repeated_frames_are_shown_at_their_own_time(short_clip):
    video = VideoReader(repeat=4).read(str(short_clip), 8)
    distinct = VideoReader().read(str(short_clip), 2)
    assert video.indices == (*(4 * [distinct.indices[0]]), *(4 * [distinct.indices[1]]))
    assert video.timestamps.tolist() == [t for t in distinct.timestamps.tolist() for _ in range(4)]
    with pytest.raises(BadInput, match=r"multiple of repeat 4, got 6"):
        VideoReader(repeat=4).read(str(short_clip), 6)
