"""The trained length is the baseline of every comparison: its own run's at F = N, and shared with all other cells."""

from dataclasses import replace

import pytest
import torch

from intpv.cache.cache import Cache
from intpv.data.benchmark import VideoItem
from intpv.inference.trained_length import TrainedLength
from intpv.inference.viewing import Viewer
from intpv.kv_quant.kv_quant import NoQuant
from intpv.rearranger.contiguous import Contiguous
from intpv.rearranger.strided import Strided
from intpv.rope_strategy.linear import LinearScaling
from intpv.rope_strategy.none import NoScaling
from intpv.video.reader import Video, VideoReader
from intpv.video.sampling import Sampler
from intpv.video_llm.video_llm import VideoLLM

from ..tiny import clip, tiny_model

AVAILABLE = 64  # frames of the clip


class Reader(VideoReader):
    """Samples a clip that needs no decoding."""

    def read(self, path, num_frames, part=None, fit=None):
        frames, times = clip(AVAILABLE)
        chosen = Sampler(self.sampling, self.repeat).indices(AVAILABLE, num_frames)
        return Video(frames[list(chosen)], times[list(chosen)], chosen, AVAILABLE, self.decoder, self.version)


@pytest.fixture(scope="module")
def viewer(tmp_path_factory):
    """Of a run unlike the baseline in everything."""
    llm = VideoLLM(tiny_model(), Strided(), LinearScaling(), NoQuant())
    return Viewer(llm, Reader(), Cache(tmp_path_factory.mktemp("cache")), 32)


@pytest.fixture(scope="module")
def item(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    path.write_bytes(b"any")
    return VideoItem("v", str(path), ())


def test_it_is_the_baseline_bit_for_bit(viewer, item):
    shown = TrainedLength.of(viewer).watch(item)
    plain = VideoLLM(viewer.video_llm.model, Contiguous(), NoScaling(), NoQuant())
    frames = Reader().read(item.path, 8)
    want = plain.watch(frames.frames, frames.timestamps, item.id)
    assert shown.tokens.shape[0] == 8
    assert shown.context.layout == want.layout
    for ours, theirs in zip(shown.context.packed.layers, want.packed.layers, strict=True):
        whole, same = ([torch.cat(side, 1) for side in zip(*one.blocks(), strict=True)] for one in (ours, theirs))
        assert torch.equal(whole[0], same[0])
        assert torch.equal(whole[1], same[1])


def test_its_views_are_shared_by_all_cells(viewer, item):
    TrainedLength.of(viewer).watch(item)
    other = replace(viewer.video_llm, rearranger=Contiguous(), rope_strategy=NoScaling())
    assert Viewer(other, Reader(), viewer.cache, 8).is_ready(item)
    assert not Viewer(other, Reader(), viewer.cache, 16).is_ready(item)


def test_each_frame_is_shown_once_whatever_the_run_repeats(viewer, item):
    repeated = replace(viewer, reader=Reader(repeat=4))
    few = TrainedLength.of(repeated).watch(item).context.layout
    many = repeated.video_llm.prefill(repeated.view(item).features, repeated.view(item).timestamps, "v").layout
    times = [[span.time for span in layout.spans if span.is_frame] for layout in (few, many)]
    assert len(set(times[0])) == 8
    assert times[1] == [time for time in times[0] for _ in range(4)]


def test_the_runs_own_reader_is_used_where_it_repeats_nothing(viewer):
    """A reader has a decoding process of its own."""
    assert TrainedLength.of(viewer).viewer.reader is viewer.reader
