"""The interface: what a benchmark without known bounds says of them."""

import pytest

from intpv.data.benchmark import Benchmark, Question, VideoItem
from intpv.errors import BadInput


class Real(Benchmark):
    name = "real"

    def items(self):
        questions = tuple(Question(f"a/{i}", "open", "What is it?", (), "a cat") for i in range(3))
        return [VideoItem("a", "a.mp4", questions)]


def test_bounds_of_a_real_video_are_unknown_for_every_question():
    (item,) = Real().items()
    assert Real().bounds(item, (1, 5, 9)) == [{"ceiling": None, "blind": None, "labels": {}}] * 3


def test_what_has_no_calibration_split_says_so():
    with pytest.raises(BadInput, match=r"data=\S* names no calibration split, got only its test split"):
        Real().calibration(4)
