"""A video's figures survive a torn line, and its last line counts."""

import math

import pytest

from intpv.record.samples import VideoFigures


def test_figures_are_read_back_and_the_last_line_of_a_video_counts(tmp_path):
    figures = VideoFigures(tmp_path)
    assert figures.read() == {}
    for video, seconds in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        figures.append(video, {"watch_s": seconds})
    assert figures.read() == {"a": {"watch_s": 3.0}, "b": {"watch_s": 2.0}}


def test_a_torn_line_costs_itself_alone(tmp_path):
    figures = VideoFigures(tmp_path)
    figures.append("a", {"watch_s": 1.0})
    with (tmp_path / "videos.jsonl").open("a") as file:
        file.write('{"video": "b", "wat')
    figures.append("c", {"watch_s": 2.0})
    assert figures.read() == {"a": {"watch_s": 1.0}, "c": {"watch_s": 2.0}}


@pytest.mark.parametrize("value", [math.nan, math.inf, "1"])
def test_what_is_no_finite_number_is_refused_by_its_name(tmp_path, value):
    figures = VideoFigures(tmp_path)
    with pytest.raises(ValueError, match="metric time/watch_s must be a finite number or null, got"):
        figures.append("a", {"time/ask_s": 1.0, "time/watch_s": value})
    assert figures.read() == {}


def test_what_is_null_is_left_out(tmp_path):
    (tmp_path / "videos.jsonl").write_text('{"video": "a", "time/ask_s": 1.0, "time/watch_s": null}\n')
    assert VideoFigures(tmp_path).read() == {"a": {"time/ask_s": 1.0}}
