"""Frames chosen by what changes, or by scores of a file; settings that do not belong together are refused."""

import json

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intpv.errors import BadInput
from intpv.video.reader import VideoReader
from intpv.video.sampling import Sampler, by_change, by_score, midpoint

amounts = st.lists(st.floats(0, 255), min_size=1, max_size=200)


@given(amounts, st.integers(1, 64))
def test_no_frame_is_shown_twice_where_there_are_enough(change, count):
    for chosen in (by_change(change, count), by_score(change, count)):
        assert len(chosen) == count
        assert chosen == sorted(chosen)
        assert 0 <= chosen[0] <= chosen[-1] < len(change)
        assert len(set(chosen)) == min(count, len(change))


@given(st.integers(1, 300), st.integers(1, 64))
def test_a_still_video_is_cut_by_time(frames, count):
    assert by_change([0.0] * frames, count) == midpoint(frames, count)


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=60), st.integers(1, 8))
def test_the_highest_scores_are_shown(scores, count):
    chosen = by_score(scores, count)
    assert sorted((scores[index] for index in chosen), reverse=True) == sorted(scores, reverse=True)[:count]


def test_where_it_changes_all_at_once_the_frames_around_are_shown():
    assert by_change([0.0] * 4 + [5.0] * 4, 4) == [4, 5, 6, 7]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """120 frames, still but for frames 70 to 79, each of another grey."""
    path = tmp_path_factory.mktemp("selection") / "cat.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=20, options={"qp": "10"})
        stream.width = stream.height = 64
        for step in range(120):
            grey = 40 + 18 * min(max(step - 69, 0), 10)
            picture = np.full((64, 64, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_what_changes_is_shown(clip):
    video = VideoReader(sampling="change").read(clip, 10)
    assert video.indices == tuple(range(70, 80))
    whole = VideoReader(sampling="nested").read(clip, 120)
    assert all((frame == whole.frames[index]).all() for frame, index in zip(video.frames, video.indices, strict=True))


def test_scores_of_a_file_choose(clip, tmp_path):
    file = tmp_path / "scores.json"
    wanted = (3, 40, 41, 119)
    file.write_text(json.dumps({"cat": [float(index in wanted) for index in range(120)]}))
    reader = VideoReader(sampling="scores", scores=str(file))
    assert reader.read(clip, 4).indices == wanted


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"cat": [1.0] * 119}, "video.scores has 119 scores for a video of 120 frames"),
        ({"dog.mp4": [1.0]}, r"no scores for cat.mp4, only for 1 videos \(dog.mp4"),
        ({"cat": [1.0, "high"]}, "cat must be a list of numbers"),
        ([1.0], "must be an object of lists, video -> scores, got list"),
        ("{", "is no JSON"),
        (None, "cannot be read"),
    ],
)
def test_scores_of_another_video_or_none_are_refused(clip, tmp_path, content, said):
    file = tmp_path / "scores.json"
    if content is not None:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BadInput, match=said):
        VideoReader(sampling="scores", scores=str(file)).read(clip, 4)


def test_settings_that_do_not_belong_together_are_refused():
    with pytest.raises(BadInput, match=r"together, got video.sampling=midpoint and video.scores=a.json"):
        VideoReader(scores="a.json")
    with pytest.raises(BadInput, match=r"together, got video.sampling=scores and video.scores=null"):
        VideoReader(sampling="scores")


def test_repeats_choose_fewer_and_show_them_again():
    change = [0.0, *[1.0] * 7]
    assert Sampler("change", repeat=2).indices(8, 8, change=change) == tuple(
        index for index in by_change(change, 4) for _ in range(2)
    )
